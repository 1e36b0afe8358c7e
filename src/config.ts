/**
 * The settings as the program uses them: NodeConfig belongs to this process alone. (Settings that every node of a
 * network shares never mix with these.) read-config.ts reads them from flags and environment.
 */
import type { NetworkWish } from './calls/calls.ts'
import type { GossipSettings } from './membership/gossip/settings.ts'
import type { Address } from './ring/identifier.ts'
import type { LearningMode } from './routing/learning.ts'

/** Limits of one node's endpoints. LIMITS says for each its default, unit, bounds and reason. */
export interface Limits {
  /** Bytes of one body; more is FILE_TOO_LARGE. */
  readonly fileBytesMax: number
  /** Bytes of one request's header; more is HEADERS_TOO_LARGE. */
  readonly headerBytesMax: number
  /** From the first byte of a request to the end of its header, ms. */
  readonly headerTimeoutMs: number
  /** The longest a body in either direction may stand still, ms. */
  readonly bodyIdleTimeoutMs: number
  /** Bodies being received at once; one more waits in the queue. */
  readonly uploadsMax: number
  /** Uploads waiting for their turn; one more is OVERLOADED (429 with Retry-After). */
  readonly uploadQueueMax: number
  /** Open connections; one more is closed at once. */
  readonly connectionsMax: number
  /** How long a stopping node lets running requests finish, ms. */
  readonly shutdownTimeoutMs: number
}

/** One pair that clients of S3 sign with. */
export interface S3Key {
  readonly id: string
  readonly secret: string
  /** It may read only. */
  readonly readOnly: boolean
}

/** The S3 endpoint. */
export interface S3Config {
  /** 0 takes a free port. */
  readonly port: number
  /** At least one. */
  readonly keys: readonly S3Key[]
  /** Lower-case names below which a bucket has a name of its own. */
  readonly domains: readonly string[]
  /** Origins whose pages may use the endpoint; `*` is every one. */
  readonly corsOrigins: readonly string[]
}

export interface NodeConfig {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** The address that replies name this node by; undefined is `host` with the port that was bound. */
  readonly advertise: Address | undefined
  /** Nodes of the network to join; none founds one. A network that the data directory knows goes before. */
  readonly boots: readonly Address[]
  /** Whether somebody has named `boots`; else they are what the port of this node makes likely. */
  readonly namesBoots: boolean
  /** True when this node founds the network as soon as every one of `boots` has answered that it has none. */
  readonly foundsWhenNoneHas: boolean
  /** What is asked of the network's own settings. */
  readonly wish: NetworkWish
  /** What fails together with this node; undefined where nobody said so. */
  readonly zone: string | undefined
  /** How long boot nodes are tried, ms. */
  readonly joinTimeoutMs: number
  readonly learn: LearningMode
  /** With `kelips` it gossips. */
  readonly routing: (typeof ROUTINGS)[number]
  /** Undefined: this node does not gossip. */
  readonly gossip: GossipSettings | undefined
  /** Where the files are kept; undefined keeps them in memory only. */
  readonly dataDirectory: string | undefined
  /** What was removed or replaced: for how long it is kept, ms (0: not at all), and on which part of the disk, 0 to 1. */
  readonly trash: { readonly keptMs: number; readonly share: number }
  /** What clients must show as `Authorization: Bearer ...`; with neither, every client may do everything. */
  readonly tokens: { readonly readWrite?: string; readonly readOnly?: string }
  /**
   * What the nodes of one network share; undefined only on loopback or when `--insecure` allowed it. Several are separated by
   * commas: the first signs, all of them count.
   */
  readonly secret: string | undefined
  /** What signs share links; undefined makes that key from the secret or the token. */
  readonly shareKey: string | undefined
  /** PEM files. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** Undefined: there is no S3 endpoint. */
  readonly s3: S3Config | undefined
  /** Lower-case, without the dot; undefined accepts every file name. */
  readonly allowedExtensions: readonly string[] | undefined
  readonly logLevel: LogLevel
  readonly limits: Limits
}

/** Bounds of the settings that belong to the network. */
export const NETWORK_BOUNDS = {
  // Every write waits for all copies; with k = 15, 29 acceptors decide about each range.
  replicas: { min: 1, max: 15 },
  minReplicas: { min: 1, max: 15 },
  // Ranges are even to about a tenth with 64; each is one more view to keep at k nodes.
  virtualNodes: { min: 1, max: 64 },
} as const

/** How long what was removed or replaced is kept, ms, unless it is 0: a week, in which most slips are noticed. */
export const TRASH = {
  default: 7 * 24 * 60 * 60 * 1000,
  min: 60_000,
  max: 3_660 * 24 * 60 * 60 * 1000,
} as const

/** Percent of the disk. */
export const TRASH_SHARE = { default: 20, min: 1, max: 90 } as const

/** How long boot nodes are tried, ms: time for the first container of a set to come up. */
export const JOIN_TIMEOUT = { unit: 'ms', default: 60_000, min: 100, max: 3_600_000 } as const

export const CONSISTENCIES = ['chain', 'eventual'] as const satisfies readonly NetworkWish['consistency'][]

export const CONFLICTS = ['keep', 'newest'] as const satisfies readonly NetworkWish['conflicts'][]

export const LEARNING_MODES = ['chain', 'path'] as const satisfies readonly LearningMode[]

/** Ways of routing that a node may choose; those of one network may differ. */
export const ROUTINGS = ['path', 'kelips'] as const

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** What one limit may be: its unit, its default and the bounds that a setting is held to (both included). */
export interface LimitBounds {
  readonly unit: 'bytes' | 'ms' | 'count'
  readonly default: number
  readonly min: number
  readonly max: number
}

export const LIMITS = {
  // 1 TiB: large enough never to be met by accident, small enough to name a fault in a loop that never ends.
  fileBytesMax: { unit: 'bytes', default: 2 ** 40, min: 1, max: 2 ** 50 },
  // Node's own default; a path of 1,024 bytes is 3 KiB once percent-encoded, so less than 8 KiB would refuse good paths.
  headerBytesMax: { unit: 'bytes', default: 16 * 1024, min: 8 * 1024, max: 1024 ** 2 },
  // A header is one packet or a few; who needs longer is stuck or holds connections open on purpose.
  headerTimeoutMs: { unit: 'ms', default: 10_000, min: 100, max: 600_000 },
  // Long enough for a phone that changes its network, short enough that a dead peer frees its place.
  bodyIdleTimeoutMs: { unit: 'ms', default: 30_000, min: 100, max: 3_600_000 },
  // Each holds about two blocks of 1 MiB in memory at the worst.
  uploadsMax: { unit: 'count', default: 256, min: 1, max: 100_000 },
  // A waiting upload costs a connection and no body memory; 0 refuses as soon as all places are taken.
  uploadQueueMax: { unit: 'count', default: 1024, min: 0, max: 1_000_000 },
  // Below the usual limit of open files once blobs are counted in.
  connectionsMax: { unit: 'count', default: 10_000, min: 1, max: 1_000_000 },
  // The grace that container runtimes give between SIGTERM and SIGKILL.
  shutdownTimeoutMs: { unit: 'ms', default: 10_000, min: 0, max: 3_600_000 },
} as const satisfies Record<keyof Limits, LimitBounds>

export const DEFAULT_LIMITS = Object.fromEntries(
  Object.entries(LIMITS).map(([name, bounds]) => [name, bounds.default]),
) as unknown as Limits
