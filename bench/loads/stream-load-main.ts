/**
 * One large body over one bare socket, in a process of its own: `stream-load-main.ts PORT put|get TARGET BYTES`.
 * Prints `{"seconds": ...}` from the first byte sent to the last one received.
 */
import { connect } from 'node:net'

const [port, direction, target, size] = process.argv.slice(2)
const bytes = Number(size)
const chunk = Buffer.alloc(1024 * 1024, 'altered-chord ')
const received = Buffer.alloc(1024 * 1024)

let header = ''
let bodyBytes = 0
const began = performance.now()
const socket = connect({
  port: Number(port),
  host: '127.0.0.1',
  noDelay: true,
  // One buffer for all that comes: the generator must not be what is measured.
  onread: {
    buffer: received,
    callback: (length, buffer) => {
      take(Buffer.from(buffer.buffer, buffer.byteOffset, length))
      return true
    },
  },
})
socket.on('error', error => {
  throw error
})
socket.on('close', () => {
  throw new Error(`the connection ended early: ${header.slice(0, 500)}`)
})
socket.on('connect', async () => {
  const length = direction === 'put' ? `Content-Length: ${bytes}\r\n` : ''
  socket.write(`${direction?.toUpperCase()} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${length}\r\n`)
  if (direction !== 'put') return
  for (let at = 0; at < bytes; at += chunk.length) {
    const part = bytes - at < chunk.length ? chunk.subarray(0, bytes - at) : chunk
    if (!socket.write(part)) await new Promise(go => socket.once('drain', go))
  }
})

function take(data: Buffer): void {
  if (header.includes('\r\n\r\n')) {
    bodyBytes += data.length
  } else {
    header += data.toString('latin1')
    const end = header.indexOf('\r\n\r\n')
    if (end === -1) return
    bodyBytes = header.length - end - 4
    if (!/^HTTP\/1\.1 20[01] /.test(header)) throw new Error(header.slice(0, 500))
  }
  const wanted = Number(/content-length: (\d+)/i.exec(header)?.[1] ?? 0)
  if (direction === 'get' && wanted !== bytes) throw new Error(`${wanted} bytes offered, ${bytes} expected`)
  if (bodyBytes < wanted) return
  console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }))
  process.exit(0)
}
