/**
 * What a put with copies on several nodes costs at least on this runtime: `chain-floor-main.ts DIRECTORY PORT [NEXT PORT]`.
 *
 * One process for each copy. The first one takes HTTP (fastify); each hashes the body, stores three LMDB records in a group
 * commit and passes the body on over one TCP stream of MessagePack frames; the answer leaves when all have it durably.
 * There is no order of writes, no condition, no proof of who sends, and nothing for a node that is gone.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import fastify from 'fastify'
import { open } from 'lmdb'
import { Packr } from 'msgpackr'

interface Message {
  readonly id: number
  readonly path: string
  readonly sha256: string
  readonly body: Buffer
  readonly meta: object
}

const [role, directory, port, next] = process.argv.slice(2)
if (role === undefined || directory === undefined || port === undefined)
  throw new TypeError('usage: first|other DIRECTORY PORT [PORT OF THE NEXT]')
mkdirSync(directory, { recursive: true })
const index = open<Buffer, Buffer>({
  ...{ path: join(directory, 'index.mdb'), noSubdir: true, overlappingSync: false },
  ...{ encoding: 'binary', keyEncoding: 'binary' },
})
const packr = new Packr({ useRecords: false })
let seq = 0

const store = ({ path, sha256, body }: Message) =>
  index.batch(() => {
    index.put(Buffer.from(path), Buffer.concat([Buffer.from(sha256), body]))
    index.put(Buffer.from('sequence'), Buffer.from(String(++seq)))
    index.put(Buffer.from(`prefix/${sha256.slice(0, 3)}`), Buffer.from(sha256))
  })

/** Messages of one turn of the event loop leave in one write. */
function senderTo(socket: Socket): (message: object) => void {
  let waiting: Buffer[] = []
  return message => {
    const content = packr.pack(message)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(content.length)
    if (waiting.push(length, content) > 2) return
    setImmediate(() => {
      const frames = Buffer.concat(waiting)
      waiting = []
      socket.write(frames)
    })
  }
}

function receive<T>(socket: Socket, take: (message: T) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', data => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data])
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const end = 4 + rest.readUInt32BE(0)
      take(packr.unpack(rest.subarray(4, end)))
      rest = rest.subarray(end)
    }
  })
}

const waiting = new Map<number, () => void>()
let sendOn: ((message: Message) => void) | undefined
if (next !== undefined) {
  const socket = connect({ port: Number(next), host: '127.0.0.1', noDelay: true })
  sendOn = senderTo(socket)
  receive<{ id: number }>(socket, ({ id }) => {
    waiting.get(id)?.()
    waiting.delete(id)
  })
}

/** Resolves when this node and all after it have the message durably. */
async function keep(message: Message): Promise<void> {
  const others = new Promise<void>(resolve => {
    if (sendOn === undefined) return resolve()
    waiting.set(message.id, resolve)
    sendOn(message)
  })
  await Promise.all([store(message), others])
}

if (role === 'first') {
  const app = fastify()
  let id = 0
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.get('/', async () => 'ready')
  app.put('/*', async (request, reply) => {
    const body = request.body as Buffer
    const sha256 = hash('sha256', body, 'hex')
    const meta = { epoch: 4, seq: ++id, size: body.length, time: Date.now(), view: 'abcdefgh' }
    await keep({ id, path: request.url, sha256, body, meta })
    const nodes = ['127.0.0.1:5000', '127.0.0.1:5001', '127.0.0.1:5002']
    const receipt = { path: request.url, size: body.length, etag: '"4.1-55987ea7"', sha256, durable: true }
    const json = JSON.stringify({ ...receipt, replicas: nodes, chain: nodes.slice(0, 1) })
    return reply.code(201).header('content-type', 'application/json').header('etag', '"4.1"').send(json)
  })
  await app.listen({ port: Number(port), host: '127.0.0.1' })
} else {
  createServer({ noDelay: true }, socket => {
    const answer = senderTo(socket)
    socket.on('error', () => socket.destroy())
    receive<Message>(socket, async message => {
      if (hash('sha256', message.body, 'hex') !== message.sha256)
        throw new Error('a body was changed on its way')
      await keep(message)
      answer({ id: message.id })
    })
  }).listen(Number(port), '127.0.0.1')
}
