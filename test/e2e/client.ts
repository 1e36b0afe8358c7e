/**
 * How end-to-end tests talk HTTP to a node: undici for whole requests, a bare socket for those that no client
 * library would send.
 */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Agent, request } from 'undici'

/** One whole reply. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** The body read as JSON. */
  json(): Record<string, unknown>
}

/** What was got, without keeping it: its status, size in bytes, SHA-256 and ETag. */
export interface Digest {
  readonly status: number
  readonly size: number
  readonly sha256: string
  readonly etag: string | undefined
}

export interface ListedFile {
  readonly path: string
  readonly size: number
  readonly etag: string
}

type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'

/** The most that one reply may keep a test waiting, ms. */
const REPLY_TIMEOUT_MS = 120_000

/** Talks to one node over connections of its own. */
export interface Client {
  send(
    method: Method,
    target: string,
    options?: {
      readonly body?: Uint8Array | string | Readable | null
      readonly headers?: Readonly<Record<string, string>>
    },
  ): Promise<Reply>
  /** Puts bytes at a path; `query` such as `?overwrite=true`. */
  put(
    path: string,
    body: Uint8Array | string | Readable,
    options?: { readonly query?: string; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Reply>
  /** Gets a file without keeping its bytes. */
  digest(path: string): Promise<Digest>
  /** Every file under a prefix, as NDJSON says it. */
  list(prefix?: string): Promise<ListedFile[]>
  close(): Promise<void>
}

/** A client of the node at `url`. Close it before the test ends. */
export function openClient(url: string): Client {
  const dispatcher = new Agent({
    headersTimeout: REPLY_TIMEOUT_MS,
    bodyTimeout: REPLY_TIMEOUT_MS,
    connections: 128,
  })
  const send: Client['send'] = async (method, target, options = {}) => {
    const reply = await request(`${url}${target}`, {
      method,
      dispatcher,
      body: options.body ?? null,
      headers: { ...options.headers },
    })
    const body = Buffer.from(await reply.body.arrayBuffer())
    return {
      status: reply.statusCode,
      headers: reply.headers,
      body,
      json: () => JSON.parse(body.toString()),
    }
  }
  return {
    send,
    put: (path, body, options = {}) =>
      send('PUT', `/put/${urlPath(path)}${options.query ?? ''}`, {
        body,
        headers: { 'content-type': 'application/octet-stream', ...options.headers },
      }),
    async digest(path) {
      const reply = await request(`${url}/get/${urlPath(path)}`, { dispatcher })
      const hash = createHash('sha256')
      let size = 0
      await pipeline(reply.body, async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          hash.update(chunk)
          size += chunk.length
        }
      })
      return {
        status: reply.statusCode,
        size,
        sha256: hash.digest('hex'),
        etag: reply.headers.etag as string | undefined,
      }
    },
    async list(prefix = '') {
      const target = prefix === '' ? '/list' : `/list/${urlPath(prefix)}`
      const reply = await send('GET', target, { headers: { accept: 'application/x-ndjson' } })
      if (reply.status !== 200) throw new Error(`the list was refused: ${reply.status} ${reply.body}`)
      return reply.body
        .toString()
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as ListedFile)
    },
    close: () => dispatcher.destroy(),
  }
}

/** A path as it stands in a URL. */
export function urlPath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

export function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What came back over a bare socket until the other side closed it, or `closed: false` after `waitMs` of silence. */
export interface RawReply {
  readonly text: string
  /** 0 when nothing that looks like a status line came. */
  readonly status: number
  readonly closed: boolean
}

/**
 * Sends bytes over a bare socket and collects what comes back.
 * `after: 'cut'` resets the connection once they are sent, `'end'` ends our side only, `'wait'` (the default) does neither.
 * Resolves at the close of the connection, or once a whole reply (by its Content-Length) has come.
 */
export function sendRaw(
  port: number,
  parts: Iterable<string | Uint8Array>,
  options: { readonly after?: 'cut' | 'end' | 'wait'; readonly waitMs?: number } = {},
): Promise<RawReply> {
  return new Promise(resolve => {
    let text = ''
    const finish = (closed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), closed })
    }
    const socket = connect({ port, host: '127.0.0.1' }, async () => {
      for (const part of parts) {
        if (socket.destroyed) return
        if (!socket.write(part)) {
          await new Promise(go => socket.once('drain', go).once('close', go))
        }
      }
      if (options.after === 'end') socket.end()
      if (options.after === 'cut') socket.resetAndDestroy()
    })
    const timer = setTimeout(() => finish(false), options.waitMs ?? 20_000)
    socket.setEncoding('latin1')
    socket.on('data', data => {
      text += data
      if (isWhole(text)) finish(false)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => finish(true))
  })
}

function isWhole(text: string): boolean {
  const headerEnd = text.indexOf('\r\n\r\n')
  const length = /^content-length: (\d+)\r$/im.exec(text)?.[1]
  return headerEnd !== -1 && length !== undefined && text.length >= headerEnd + 4 + Number(length)
}
