/**
 * Share links: what is signed, with which key, and when a link counts.
 *
 * A link is `/shared/TOKEN/PATH`. The token says when the link ends and how much of the path is shared: the one file, or
 * the folder of its first segments with everything below. An HMAC-SHA-256 (RFC 2104) over both keeps anybody from
 * changing them. Nothing is stored, so every node with the same key can check every link, and a link is revoked by
 * changing that key (docs/decisions/0230-links-are-signed-and-not-stored.md).
 */
import { Buffer } from 'node:buffer'
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { NodeConfig } from '../config.ts'
import type { Clock } from '../env.ts'
import { StoreError } from '../errors.ts'
import { parsePathNameFromUrl, parsePathPrefix } from '../ring/path-name.ts'

/** Time that a link may count, ms. A minute is enough to begin a download; after a year nobody knows who has it. */
export const SHARE_MS = { default: 7 * 86_400_000, min: 1000, max: 366 * 86_400_000 } as const

/** Up to this, ms, a link is a download that has to begin; whoever may read may have one. A longer one is for others. */
export const SHORT_LINK_MS = 300_000

/** What a link gives: a path, or a folder that ends with `/` and everything below it. */
export type Shared = string

/** What was asked for through a link: a path, or a folder (ending with `/`) to be listed. */
export interface Opened {
  readonly place: string
  readonly isFolder: boolean
}

/** The first signs; a link counts that any of them has signed. */
export type ShareKeys = readonly [Buffer, ...Buffer[]]

const tokenPattern = /^(\d{1,3})-([0-9a-z]{1,9})-([A-Za-z0-9_-]{43})$/

export class ShareLinks {
  readonly #clock: Clock
  readonly #keys: ShareKeys

  constructor(components: { readonly clock: Clock }, init: { readonly keys: ShareKeys }) {
    this.#clock = components.clock
    this.#keys = init.keys
  }

  /** The path of the URL that gives `shared` until then, percent-encoded. */
  make(shared: Shared, untilMs: number): string {
    const until = Math.ceil(untilMs / 1000)
    const depth = shared.endsWith('/') ? shared.split('/').length - 1 : 0
    const signature = sign(this.#keys[0], { depth, until, shared }).toString('base64url')
    const token = `${depth}-${until.toString(36)}-${signature}`
    return `/shared/${token}/${shared.split('/').map(encodeURIComponent).join('/')}`
  }

  /**
   * What the rest of a URL behind `/shared/` asks for, when its link gives that.
   * @throws StoreError FORBIDDEN for a link that is not ours, was changed, or has ended; INVALID_PATH.
   */
  open(rest: string): Opened {
    const slash = rest.indexOf('/')
    const match = slash === -1 ? null : tokenPattern.exec(rest.slice(0, slash))
    if (match === null) throw notValid()
    const [, depthText = '', untilText = '', signature = ''] = match
    const [depth, until] = [Number(depthText), Number.parseInt(untilText, 36)]
    const place = placeOf(rest.slice(slash + 1))
    const shared = depth === 0 ? place : folderOf(place, depth)
    if (shared === undefined) throw notValid()
    const given = Buffer.from(signature, 'base64url')
    if (!this.#keys.some(key => timingSafeEqual(sign(key, { depth, until, shared }), given))) throw notValid()
    if (this.#clock.nowMs() >= until * 1000)
      throw new StoreError('FORBIDDEN', `This link ended at ${new Date(until * 1000).toISOString()}.`)
    return { place, isFolder: place.endsWith('/') }
  }
}

interface Signed {
  readonly depth: number
  readonly until: number
  readonly shared: Shared
}

function sign(key: Buffer, { depth, until, shared }: Signed): Buffer {
  return createHmac('sha256', key).update(`SHARE 1\n${depth}\n${until}\n${shared}`).digest()
}

/**
 * The keys of the links of a network: the same at every node whose settings agree. There are several while a secret, or the
 * token that takes its place here, is being replaced. Where no tokens are needed everybody may read everything, and a link
 * shows nothing more: then the name of the network will do.
 */
export function shareKeysOf(
  { shareKey, secret, tokens }: Pick<NodeConfig, 'shareKey' | 'secret' | 'tokens'>,
  networkId: string,
): ShareKeys {
  const [first = networkId, ...others] =
    shareKey === undefined ? ((secret ?? tokens.readWrite)?.split(',') ?? []) : [shareKey]
  // HKDF (RFC 5869): what is signed here tells nothing of the secret, nor of what the nodes sign with it.
  const key = (source: string) =>
    Buffer.from(hkdfSync('sha256', source, networkId, 'altered-chord share links', 32))
  return [key(first), ...others.map(key)]
}

function placeOf(encoded: string): string {
  if (!encoded.endsWith('/')) return parsePathNameFromUrl(encoded)
  return parsePathPrefix(`${parsePathNameFromUrl(encoded.slice(0, -1))}/`)
}

/** The folder of the first `depth` segments, when the place lies in it. */
function folderOf(place: string, depth: number): string | undefined {
  const segments = place.split('/')
  return segments.length > depth ? `${segments.slice(0, depth).join('/')}/` : undefined
}

function notValid(): StoreError {
  return new StoreError('FORBIDDEN', 'This link is not valid.')
}
