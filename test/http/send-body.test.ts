import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { givingBack } from '../../src/http/send-body.ts'
import { DownloadRoom } from '../../src/storage/download-room.ts'
import { BLOCK_BYTES } from '../../src/storage/record.ts'

/** A reader that takes one chunk at a time, when it is told to. */
class SlowSocket extends Writable {
  readonly taken: Buffer[] = []
  #done: (() => void) | undefined

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#done = () => {
      this.taken.push(Buffer.from(chunk))
      done()
    }
  }

  get isWaiting(): boolean {
    return this.#done !== undefined
  }

  take(): void {
    const done = this.#done
    this.#done = undefined
    done?.()
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('the memory of a block is used again when the block has gone out, and not before', async t => {
  const room = new DownloadRoom()
  const memory = new Set<unknown>()
  function* blocks() {
    for (let number = 1; number <= 12; number++) {
      const block = room.lend(BLOCK_BYTES)
      memory.add(block.buffer)
      yield block.fill(number)
    }
  }
  const socket = new SlowSocket({ highWaterMark: 1 })
  const body = givingBack(Readable.from(blocks(), { objectMode: false, highWaterMark: 1 }))
  const sent = pipeline(body, socket)
  while (!socket.writableFinished) {
    if (socket.isWaiting) socket.take()
    await turn()
  }
  await sent
  t.equal(socket.taken.length, 12)
  socket.taken.forEach((chunk, index) => {
    t.ok(chunk.equals(Buffer.alloc(BLOCK_BYTES, index + 1)), 'nothing was written over')
  })
  t.ok(memory.size <= 4, `${memory.size} blocks of memory`)
})

t.test('a reader that goes away ends the stream, and a stream that fails ends the answer', async t => {
  const gone = new SlowSocket({ highWaterMark: 1 })
  const body = givingBack(Readable.from([Buffer.alloc(9), Buffer.alloc(9)], { objectMode: false }))
  const sent = pipeline(body, gone)
  await turn()
  gone.destroy()
  await t.rejects(sent, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
  t.ok(body.destroyed)
  async function* broken() {
    yield Buffer.alloc(9)
    throw new Error('a bad block')
  }
  const socket = new SlowSocket({ highWaterMark: 100 })
  await t.rejects(pipeline(givingBack(Readable.from(broken(), { objectMode: false })), socket), {
    message: 'a bad block',
  })
  t.ok(socket.destroyed)
})
