/**
 * A load generator on bare sockets, in a process of its own: `socket-load-main.ts '{"port": ...}'` (SocketLoad of
 * socket-load.ts as JSON). Each connection has one request under way. Prints a LoadResult as JSON.
 */
import { connect } from 'node:net'
import type { LoadResult, SocketLoad } from './socket-load.ts'

const load = JSON.parse(process.argv[2] ?? '{}') as SocketLoad
const body = Buffer.alloc(load.bodyBytes ?? 0, 'altered-chord ')
const tail = Buffer.concat([
  Buffer.from(
    ` HTTP/1.1\r\nHost: 127.0.0.1:${load.port}\r\n` +
      (load.method === 'PUT'
        ? `Content-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n`
        : '') +
      '\r\n',
  ),
  body,
])

let sent = 0
let answered = 0
let refused = 0
let firstRefusal: string | undefined
const latenciesMs: number[] = []
const began = performance.now()
const deadline = load.durationMs === undefined ? Number.POSITIVE_INFINITY : began + load.durationMs
const countMax = load.count ?? Number.POSITIVE_INFINITY

await Promise.all(Array.from({ length: Math.min(load.connections, countMax) }, oneConnection))
const seconds = (performance.now() - began) / 1000
latenciesMs.sort((a, b) => a - b)
const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)] ?? Number.NaN
const result: LoadResult = {
  perSecond: answered / seconds,
  requests: answered,
  refused,
  latencyMs: { p50: at(0.5), p99: at(0.99), p999: at(0.999) },
}
if (firstRefusal !== undefined) console.error(`first refusal: ${firstRefusal}`)
console.log(JSON.stringify(result))

function oneConnection(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
    let sentAt = 0
    let header = ''
    /** Bytes of the body still to come; -1 while the header is. */
    let remaining = -1

    const next = () => {
      const now = performance.now()
      if (sentAt !== 0) latenciesMs.push(now - sentAt)
      if (sent >= countMax || now >= deadline) {
        socket.destroy()
        resolve()
        return
      }
      sentAt = now
      socket.write(Buffer.concat([Buffer.from(`${load.method} ${targetOf(sent++)}`), tail]))
    }
    socket.on('data', chunk => {
      let from = 0
      if (remaining === -1) {
        // The header is ASCII and short; what follows it is only counted.
        const end = header === '' ? chunk.indexOf('\r\n\r\n') : -1
        header += chunk.toString('latin1', 0, end === -1 ? Math.min(chunk.length, 8192) : end + 4)
        const headerEnd = header.indexOf('\r\n\r\n')
        if (headerEnd === -1) return
        from = end === -1 ? chunk.length - (header.length - headerEnd - 4) : end + 4
        remaining = Number(/content-length: (\d+)/i.exec(header)?.[1] ?? 0)
        if (!header.startsWith('HTTP/1.1 2')) {
          refused++
          firstRefusal ??= header.slice(0, 200)
        }
        header = ''
      }
      remaining -= chunk.length - from
      if (remaining > 0) return
      remaining = -1
      answered++
      next()
    })
    socket.on('connect', next)
    socket.on('error', reject)
    socket.on('close', () => resolve())
  })
}

function targetOf(number: number): string {
  if (load.targets !== undefined) return load.targets[number % load.targets.length] as string
  if (!load.uniquePaths) return load.target
  return `${load.target}/${(number % 256).toString(16).padStart(2, '0')}/${number}${load.query ?? ''}`
}
