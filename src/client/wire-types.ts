/**
 * What a client gets to see: receipts, files and lines of a list, as the endpoints write them in JSON.
 */
import type { Readable } from 'node:stream'

/** What a write answers with. */
export interface Receipt {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Names this version, quoted as in the header. */
  readonly etag: string
  /** Orders the writes of one path by epoch, then by seq; with eventual consistency it orders nothing. */
  readonly version: { readonly epoch: number; readonly seq: number }
  /** 64 hexadecimal digits. */
  readonly sha256: string
  readonly consistency: 'chain' | 'eventual'
  /** Only with eventual consistency: the condition was judged by what one node has. */
  readonly conditional?: 'local'
  /** True when every node in `replicas` has the file on stable storage. */
  readonly durable: boolean
  /** The nodes that hold the file. */
  readonly replicas: readonly string[]
  /** The nodes that the request visited, in order. */
  readonly chain: readonly string[]
}

/** A key-value pair. */
export interface Pair {
  readonly key: string
  /** Any JSON value. */
  readonly value: unknown
}

/** What an insert answers with. */
export interface InsertAnswer extends Pair {
  /** `updated`: the key had another value before. */
  readonly status: 'inserted' | 'updated'
  /** Of the file that the pair is. */
  readonly receipt: Receipt
}

/** A file that is being read. */
export interface FetchedFile {
  readonly path: string
  readonly mediaType: string
  /** Bytes of `body`: of the whole file, or of the range that was asked for. */
  readonly size: number
  readonly etag: string
  /** Of the whole file, 64 hexadecimal digits; undefined when the node did not say. */
  readonly sha256: string | undefined
  /** How many versions stand beside this one; above 0 only with eventual consistency. */
  readonly conflicts: number
  /** User metadata; empty when there is none. */
  readonly meta: Readonly<Record<string, string>>
  /** When the file was written; whole seconds. */
  readonly writtenAt: Date | undefined
  /** The nodes that the request visited, in order. */
  readonly chain: readonly string[]
  /** Read it to its end, or destroy it: until then it holds a connection. */
  readonly body: Readable
}

/** One file of a list. */
export interface ListedFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly etag: string
  readonly mediaType: string
  /** ISO 8601, UTC. */
  readonly writtenAt: string
  /** 64 hexadecimal digits; absent where an earlier version of the program has written the file. */
  readonly sha256?: string
  /** User metadata, when there is some. */
  readonly meta?: Readonly<Record<string, string>>
}

/** A version in the trash. */
export interface TrashedFile extends ListedFile {
  /** EPOCH.SEQ, as in the ETag. */
  readonly version: string
  readonly reason: 'removed' | 'replaced'
  /** ISO 8601, UTC. */
  readonly trashedAt: string
  /** It can be restored until then at least, within the bounds of the trash. */
  readonly until: string
  /** What `after` continues from. */
  readonly place: string
}

/** What was taken out of the trash. */
export interface EmptiedTrash {
  readonly versions: number
  readonly bytes: number
}

/** With `delimiter`, everything that lies behind one folder is one line. */
export interface ListedFolder {
  /** The common beginning of the paths, ending with `/`. */
  readonly prefix: string
}

/** A copy whose bytes are not the ones that were stored. */
export interface DamagedFile {
  readonly path: string
  readonly code: string
  readonly message: string
  /** Where the copy lies; absent in the check of one node. */
  readonly node?: string
  /** A good copy of another replica has taken its place. */
  readonly healed?: boolean
}

/** A range that had too few replicas or acceptors, or was not in its place. */
export interface FaultyRange {
  readonly range: { readonly lo: string; readonly hi: string }
  readonly message: string
  readonly healed: boolean
}

/** A node that did not answer, so that nothing there was checked. */
export interface SilentNode {
  readonly node: string
  readonly code: string
  readonly message: string
}

/** How far a check has come; with `done`, it has ended. */
export interface VerificationProgress {
  readonly files: number
  /** Bytes that were read, of all copies. */
  readonly bytes: number
  readonly damaged: number
  /** These are absent in the check of one node: ranges that were checked, of how many; */
  readonly ranges?: number
  readonly rangesAll?: number
  /** ranges that were not as they should be; */
  readonly underReplicated?: number
  /** of copies and ranges, those that were put right, and those that were not. */
  readonly healed?: number
  readonly unhealed?: number
  readonly done: boolean
}

export type VerificationWord = DamagedFile | FaultyRange | SilentNode | VerificationProgress

/** What could be recovered by force. */
export interface RecoveryPlan {
  /** Names the plan. */
  readonly plan: string
  /** Nodes that do not answer. */
  readonly silent: readonly string[]
  /** The ranges that are lost without force. */
  readonly ranges: readonly {
    readonly lo: string
    readonly hi: string
    readonly epoch: number
    readonly silent: readonly string[]
    /** Who would go on alone; null when nobody who answers has anything of the range. */
    readonly survivor: string | null
    /** Files, and removals that are remembered, that the survivor has. */
    readonly files?: number
    /** Whether everything that was answered up to the newest known view is there. */
    readonly isNewest?: boolean
  }[]
}

/** A share link. */
export interface SharedLink {
  /** A path, or a folder with a slash at its end. */
  readonly path: string
  /** The URL, at the node that was asked; the path of it counts at every node. */
  readonly link: string
  /** When it ends, as in `2026-11-27T14:00:00.000Z`. */
  readonly until: string
}

/** Who answers for a path. */
export interface LookupAnswer {
  readonly path: string
  /** Position of the path: 40 hexadecimal digits. */
  readonly key: string
  readonly owner: string
  /** Head first. */
  readonly replicas: readonly string[]
  /** The range (lo, hi] that the key lies in. */
  readonly range: { readonly lo: string; readonly hi: string; readonly epoch: number }
  /** Visited nodes, the asked one first. */
  readonly chain: readonly string[]
  /** Messages from node to node. */
  readonly hops: number
  /** Of `hops`, those to nodes that could not be reached. */
  readonly failed: number
  /** For each step along `chain`, from asking the next node to its answer, milliseconds; absent from nodes of before it was said. */
  readonly hopMs?: readonly number[]
  /** How long it took the asked node, milliseconds. */
  readonly ms: number
}

/** A node that another one has heard of. */
export interface NetworkNode {
  readonly address: string
  readonly status: 'alive' | 'left' | 'dead'
  /** True of the node that was asked. */
  readonly self?: boolean
  /** It did not answer the asked node lately. */
  readonly suspect?: boolean
  /** Names its disk. */
  readonly nodeId: string
  /** Its first position: 40 hexadecimal digits. */
  readonly identifier: string
  readonly incarnation: number
  readonly zone?: string
}

export interface NetworkAnswer {
  readonly networkId: string
  readonly replicas: number
  readonly minReplicas: number
  readonly virtualNodes: number
  readonly nodes: readonly NetworkNode[]
}

/** One range (lo, hi] of the ring. */
export interface OverlayRange {
  readonly lo: string
  readonly hi: string
  /** Part of the ring, 0 to 1. */
  readonly share: number
  /** Null when nobody who answered knows it. */
  readonly head: string | null
  /** Head first. */
  readonly replicas: readonly string[]
  readonly witnesses: readonly string[]
  readonly epoch: number
  readonly state: 'serving' | 'back-filling' | 'changing' | 'unknown'
}

/** What a node says of itself. */
export interface NodeVitals {
  readonly address: string
  readonly version: string
  readonly uptimeSeconds: number
  readonly files: number
  readonly bytes: number
  readonly memoryBytes: number
  /** Requests of clients, answered since its start. */
  readonly requests: number
  /** Of the file system that its files are on. */
  readonly disk?: { readonly freeBytes: number; readonly totalBytes: number }
}

export interface Overlay {
  readonly networkId: string
  /** Those that answered; absent from nodes of before it was said. */
  readonly nodes?: readonly NodeVitals[]
  /** In the order of their positions. */
  readonly ranges: readonly OverlayRange[]
}

/** How many copies there are from now on. */
export interface ReplicasChanged {
  readonly replicas: number
  readonly minReplicas: number
  /** How often the number was changed. */
  readonly revision: number
  /** `host:port` of nodes that did not answer; they are told when they are back. */
  readonly missed: readonly string[]
}

/** The nodes that are there. */
export interface ActiveNodes {
  readonly networkId: string
  /** `host:port`, sorted. */
  readonly active: readonly string[]
}

/** A pair that spreads by gossip. */
export interface SpreadPair {
  readonly key: string
  readonly value: string
  /** Seconds that it still counts at the node that was asked. */
  readonly ttl: number
  /** `host:port` of the node that was told it. */
  readonly owner: string
}

export interface JoinAnswer {
  /** `member`: it was in that network already. */
  readonly status: 'member' | 'joined'
  readonly networkId: string
}

/** One of the versions of a path that stand beside each other. */
export interface FileVersion {
  readonly etag: string
  /** Bytes. */
  readonly size: number
  readonly sha256: string
  readonly mediaType: string
  /** ISO 8601. */
  readonly writtenAt: string
}
