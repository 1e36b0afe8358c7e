/**
 * What the console asks the node: the same endpoints that programs use, with the token of this tab.
 */

/** The address of the node, behind whatever prefix a proxy puts before it. */
const base = new URL('..', import.meta.url)

const STORED = 'altered-chord-token'

/** A refusal of the node, with the stable code of its error. */
export class Refusal extends Error {
  /** @param {number} status @param {string} code @param {string} message */
  constructor(status, code, message) {
    super(message)
    this.status = status
    this.code = code
  }
}

/**
 * @typedef {{ path: string, size: number, etag: string, mediaType: string, writtenAt: string }} StoredFile
 * @typedef {{ prefix: string }} StoredFolder
 * @typedef {{ path: string, version: string, size: number, reason: 'removed' | 'replaced', trashedAt: string, until: string, place: string }} Trashed
 * @typedef {{ access: 'read' | 'write', tokens: boolean, trash: boolean }} Access
 */

/** The token lives as long as the tab: neither other tabs nor the next visit know it. */
export const token = {
  get value() {
    return sessionStorage.getItem(STORED) ?? ''
  },
  /** @param {string} value */
  set value(value) {
    if (value === '') sessionStorage.removeItem(STORED)
    else sessionStorage.setItem(STORED, value)
  },
}

/** @param {string} path */
export function encodePath(path) {
  return path.split('/').map(encodeURIComponent).join('/')
}

/** The URL of an endpoint of this node. @param {string} target without the slash at its beginning */
export function urlOf(target) {
  return new URL(target, base).href
}

/** @returns {Record<string, string>} */
export function authorization() {
  return token.value === '' ? {} : { authorization: `Bearer ${token.value}` }
}

/**
 * @param {string} method
 * @param {string} target
 * @param {{ signal?: AbortSignal | undefined, headers?: Record<string, string>, body?: string }} [options]
 * @returns {Promise<Response>} of a request that was not refused
 */
export async function ask(method, target, { signal, headers = {}, body } = {}) {
  const init = {
    method,
    ...(body !== undefined && { body }),
    headers: { ...authorization(), ...headers },
    cache: /** @type {const} */ ('no-store'),
  }
  const reply = await fetch(urlOf(target), signal ? { ...init, signal } : init)
  if (!reply.ok) throw refusalOf(reply.status, await reply.text())
  return reply
}

/** @param {number} status @param {string} text */
export function refusalOf(status, text) {
  try {
    const { code, message } = JSON.parse(text).error
    return new Refusal(status, code, message)
  } catch {
    return new Refusal(status, 'INTERNAL', `The node answered with status ${status}.`)
  }
}

/** @param {string} target @param {AbortSignal} [signal] */
async function json(target, signal) {
  return (await ask('GET', target, { signal })).json()
}

/** What this tab may do. @returns {Promise<Access>} */
export const access = () => json('access')

/** @param {AbortSignal} [signal] @returns {Promise<import('./ring.js').Overlay>} */
export const overlay = signal => json('overlay', signal)

/** @param {AbortSignal} [signal] @returns {Promise<import('./node-rows.js').Network>} */
export const network = signal => json('network', signal)

/** @param {AbortSignal} [signal] @returns {Promise<import('./node-rows.js').Status>} */
export const status = signal => json('status', signal)

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<import('./lookup.js').Lookup>} */
export const lookup = (path, signal) => json(`lookup/${encodePath(path)}`, signal)

/**
 * What lies in a folder, in batches as they come; with `deep`, all files below.
 * @param {string} folder empty, or ending with a slash
 * @param {{ deep?: boolean, signal?: AbortSignal | undefined }} [options]
 * @returns {AsyncGenerator<(StoredFile | StoredFolder)[]>}
 */
export function list(folder, { deep = false, signal } = {}) {
  return lines(`list/${encodePath(folder)}${deep ? '' : '?delimiter=/'}`, signal)
}

/** What was removed or replaced, in batches as they come. @param {AbortSignal} [signal] @returns {AsyncGenerator<Trashed[]>} */
export const trash = signal => lines('trash', signal)

/**
 * @param {string} target
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<any[]>}
 */
async function* lines(target, signal) {
  const reply = await ask('GET', target, { signal, headers: { accept: 'application/x-ndjson' } })
  const reader = /** @type {ReadableStream<Uint8Array>} */ (reply.body).getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    const complete = (rest + (value ? decoder.decode(value, { stream: true }) : '')).split('\n')
    rest = complete.pop() ?? ''
    if (complete.length > 0) yield complete.map(line => JSON.parse(line))
    if (done) return
  }
}

/**
 * Puts a version back to its path; without `version` the latest one in the trash.
 * @param {{ path: string, version?: string, overwrite?: boolean }} what
 * @param {AbortSignal} [signal]
 */
export function restore(what, signal) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': drawKey() }
  return ask('POST', 'trash/restore', { signal, headers, body: JSON.stringify(what) })
}

/** Deletes a version for good. @param {{ path: string, version: string }} what @param {AbortSignal} [signal] */
export function forget({ path, version }, signal) {
  return ask('DELETE', `trash?path=${encodeURIComponent(path)}&version=${version}`, { signal })
}

/** Deletes the whole trash for good. @returns {Promise<{ versions: number, bytes: number }>} */
export async function emptyTrash() {
  return (await ask('DELETE', 'trash?prefix=')).json()
}

/** @param {string} path @returns {Promise<{ sha256: string, etag: string }>} */
export async function facts(path) {
  const { headers } = await ask('HEAD', `get/${encodePath(path)}`)
  const digest = /sha-256=:([^:]+):/.exec(headers.get('repr-digest') ?? '')?.[1] ?? ''
  const sha256 = Array.from(atob(digest), c => c.charCodeAt(0).toString(16).padStart(2, '0')).join('')
  return { sha256, etag: headers.get('etag') ?? '' }
}

/** The beginning of a file as text. @param {string} path @param {number} bytesMax @param {number} length */
export async function beginning(path, bytesMax, length) {
  /** @type {Record<string, string>} */
  const headers = length > bytesMax ? { range: `bytes=0-${bytesMax - 1}` } : {}
  return (await ask('GET', `get/${encodePath(path)}`, { headers })).text()
}

/** @param {string} path @returns {Promise<boolean>} */
export async function exists(path) {
  return (await ask('GET', `exists/${encodePath(path)}`)).json()
}

/** A key under which a request counts once. (randomUUID is missing where a page came without TLS.) */
export function drawKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}

/** @param {string} from @param {string} to */
export function move(from, to) {
  const headers = { 'idempotency-key': drawKey() }
  return ask('POST', `move/${encodeURIComponent(from)}/${encodeURIComponent(to)}`, { headers })
}

/** @param {string} path @param {AbortSignal} [signal] */
export function remove(path, signal) {
  return ask('DELETE', `remove/${encodePath(path)}`, { signal })
}

/**
 * A link that gives a file or folder without a token.
 * @param {string} place @param {string} time such as `7d`
 * @returns {Promise<{ link: string, until: string }>} an absolute URL
 */
export async function share(place, time) {
  const { link, until } = await (await ask('POST', `share/${encodePath(place)}?for=${time}`)).json()
  return { link: urlOf(link.slice(1)), until }
}

/**
 * A URL that elements of the page can take a file from. They send no token, so where one is needed it is a link that
 * ends soon.
 * @param {string} path @param {boolean} needsToken @param {boolean} [saves]
 */
export async function fileUrl(path, needsToken, saves = false) {
  if (!needsToken) return urlOf(`${saves ? 'download' : 'get'}/${encodePath(path)}`)
  const { link } = await share(path, '5m')
  return saves ? `${link}?download=true` : link
}
