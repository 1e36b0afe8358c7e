/**
 * Properties: the live ones, which the store knows, and the dead ones, which clients set. Dead ones lie in the
 * metadata of the file or of the collection's marker, so that they go where it goes and are set in one commit.
 */
import { Buffer } from 'node:buffer'
import type { UserMeta } from '../storage/record.ts'
import { userMetaOf } from '../storage/user-meta.ts'
import type { Lock } from './locks.ts'
import { DAV_NAMESPACE, type Element, escaped, parseXml, tagOf, written } from './xml.ts'

/** The name of the metadata that holds the dead properties. */
const META_NAME = 'dav-properties'

/** What is known of a file or collection when its properties are asked for. */
export interface Described {
  /** Percent-encoded, with a slash at its end for a collection. */
  readonly href: string
  /** The last segment, as it is. */
  readonly name: string
  /** Undefined for a collection. */
  readonly file:
    | {
        readonly size: number
        readonly etag: string
        readonly mediaType: string
        readonly writtenAtMs: number
      }
    | undefined
  readonly dead: readonly Element[]
  readonly locks: readonly Lock[]
}

/** A property that was asked for. */
export interface PropertyName {
  readonly namespace: string
  readonly name: string
}

type Live = (described: Described, nowMs: number) => string | undefined

/** The live properties (RFC 4918, section 15), each with its value as XML; undefined where a resource has none. */
const LIVE: Readonly<Record<string, Live>> = {
  creationdate: ({ file }) => file && new Date(file.writtenAtMs).toISOString(),
  displayname: ({ name }) => escaped(name),
  getcontentlength: ({ file }) => file && String(file.size),
  getcontenttype: ({ file }) => file && escaped(file.mediaType),
  getetag: ({ file }) => file && escaped(file.etag),
  getlastmodified: ({ file }) => file && new Date(file.writtenAtMs).toUTCString(),
  resourcetype: ({ file }) => (file ? '' : '<D:collection/>'),
  supportedlock: () =>
    ['exclusive', 'shared']
      .map(
        scope =>
          `<D:lockentry><D:lockscope><D:${scope}/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>`,
      )
      .join(''),
  lockdiscovery: ({ locks }, nowMs) => locks.map(lock => activeLock(lock, nowMs)).join(''),
}

export function isLive({ namespace, name }: PropertyName): boolean {
  return namespace === DAV_NAMESPACE && Object.hasOwn(LIVE, name)
}

/** What a request wants: all of them, their names only, or some. */
export type Wanted = 'all' | 'names' | readonly PropertyName[]

/** One `response` of a multistatus. */
export function responseOf(described: Described, wanted: Wanted, nowMs: number): string {
  const found: string[] = []
  const missing: string[] = []
  const live = (name: string): string | undefined => {
    const value = LIVE[name]?.(described, nowMs)
    if (value === undefined) return undefined
    return wanted === 'names' || value === '' ? `<D:${name}/>` : `<D:${name}>${value}</D:${name}>`
  }
  if (wanted === 'all' || wanted === 'names') {
    found.push(...Object.keys(LIVE).flatMap(name => live(name) ?? []))
    for (const property of described.dead)
      found.push(wanted === 'all' ? written(property) : `<${tagOf(property.namespace, property.name)[0]}/>`)
  } else {
    for (const name of wanted) {
      const value = isLive(name) ? live(name.name) : deadValue(described.dead, name)
      if (value === undefined) missing.push(`<${tagOf(name.namespace, name.name)[0]}/>`)
      else found.push(value)
    }
  }
  const stats = [
    ...(found.length > 0 || missing.length === 0 ? [propstat(found.join(''), 'HTTP/1.1 200 OK')] : []),
    ...(missing.length > 0 ? [propstat(missing.join(''), 'HTTP/1.1 404 Not Found')] : []),
  ]
  return `<D:response><D:href>${escaped(described.href)}</D:href>${stats.join('')}</D:response>\n`
}

export function propstat(properties: string, status: string): string {
  return `<D:propstat><D:prop>${properties}</D:prop><D:status>${status}</D:status></D:propstat>`
}

function deadValue(dead: readonly Element[], { namespace, name }: PropertyName): string | undefined {
  const property = dead.find(one => one.namespace === namespace && one.name === name)
  return property && written(property)
}

/** A lock as `lockdiscovery` shows it. */
export function activeLock(lock: Lock, nowMs: number): string {
  const seconds = Math.max(0, Math.ceil((lock.endsAtMs - nowMs) / 1000))
  const owner = lock.owner === '' ? '' : lock.owner
  return (
    `<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:${lock.scope}/></D:lockscope>` +
    `<D:depth>${lock.depth}</D:depth>${owner}<D:timeout>Second-${seconds}</D:timeout>` +
    `<D:locktoken><D:href>${escaped(lock.token)}</D:href></D:locktoken>` +
    `<D:lockroot><D:href>${escaped(lock.href)}</D:href></D:lockroot></D:activelock>`
  )
}

/** The dead properties in the metadata of a file or marker. */
export function deadOf(user: UserMeta | undefined): Element[] {
  const value = user?.find(([name]) => name === META_NAME)?.[1]
  if (value === undefined) return []
  try {
    const text = Buffer.from(value, 'base64').toString('utf8')
    return parseXml(`<D:prop xmlns:D="DAV:">${text}</D:prop>`).children.filter(
      child => typeof child !== 'string',
    )
  } catch {
    // Another endpoint can write any metadata; what is no property is none.
    return []
  }
}

/**
 * The metadata with these dead properties in it.
 * @throws StoreError METADATA_TOO_LARGE.
 */
export function withDead(user: UserMeta | undefined, dead: readonly Element[]): UserMeta | undefined {
  const others = (user ?? []).filter(([name]) => name !== META_NAME)
  if (dead.length === 0) return userMetaOf(others)
  return userMetaOf([...others, [META_NAME, Buffer.from(dead.map(written).join('')).toString('base64')]])
}
