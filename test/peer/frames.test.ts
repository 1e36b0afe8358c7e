import { randomInt } from 'node:crypto'
import t from 'tap'
import { FRAME_KINDS, type Frame, FrameReader, FrameWriter } from '../../src/peer/frames.ts'
import { MESSAGE_BYTES_MAX } from '../../src/peer/wire.ts'

const OPENING = 'signature of a request'

const texts = (frames: readonly Frame[]) => frames.map(({ kind, content }) => [kind, content.toString()])

t.test('frames arrive as they were written, in whatever pieces', async t => {
  for (const secret of [undefined, 'a secret']) {
    const writer = new FrameWriter(secret, OPENING, 'out')
    const written = Array.from({ length: 40 }, (_, index) => 'x'.repeat(randomInt(200)) + index)
    const bytes = Buffer.concat(
      written.map(text =>
        writer.frame('messages', [Buffer.from(text.slice(0, 3)), Buffer.from(text.slice(3))]),
      ),
    )
    const reader = new FrameReader(secret, OPENING, 'out')
    const read: Frame[] = []
    for (let at = 0; at < bytes.length; ) {
      const piece = 1 + randomInt(300)
      read.push(...reader.push(bytes.subarray(at, at + piece)))
      at += piece
    }
    t.same(
      texts(read),
      written.map(text => ['messages', text]),
    )
  }
})

// What nodes of version 5 send: other bytes would be a new version of the protocol.
t.test('the bytes of a frame', async t => {
  const content = [Buffer.from('ab')]
  const hex = (secret: string | undefined) =>
    new FrameWriter(secret, OPENING, 'out').frame('messages', content).toString('hex')
  t.equal(hex(undefined), '00000003016162')
  t.equal(hex('a secret'), GOLDEN)
  t.same(FRAME_KINDS, { messages: 1, taken: 2, self: 3, refused: 4 })
})

const GOLDEN = '000000130157300788f3ea77951bcbc7587a812ef86162'

t.test('what was put in, left out, repeated, changed or turned around is found', async t => {
  const three = () => {
    const writer = new FrameWriter('a secret', OPENING, 'out')
    return ['1', '2', '3'].map(text => writer.frame('messages', [Buffer.from(text)])) as [
      Buffer,
      Buffer,
      Buffer,
    ]
  }
  const [first, second, third] = three()
  const changed = Buffer.from(first)
  changed[changed.length - 1] = 0x32
  const ofOtherKind = Buffer.from(first)
  ofOtherKind[4] = FRAME_KINDS.self
  const rows: [what: string, bytes: Buffer[], reader?: FrameReader][] = [
    ['left out', [first, third]],
    ['repeated', [first, first]],
    ['out of order', [second, first]],
    ['changed', [changed]],
    ['of another kind', [ofOtherKind]],
    ['turned around', [first], new FrameReader('a secret', OPENING, 'back')],
    ['of another link', [first], new FrameReader('a secret', 'another', 'out')],
    ['of another secret', [first], new FrameReader('another', OPENING, 'out')],
  ]
  for (const [what, bytes, reader = new FrameReader('a secret', OPENING, 'out')] of rows)
    t.throws(() => reader.push(Buffer.concat(bytes)), { code: 'UNAUTHORIZED' }, what)
  t.equal(new FrameReader('a secret', OPENING, 'out').push(Buffer.concat([first, second, third])).length, 3)
})

t.test('what is no frame is refused before its bytes are waited for', async t => {
  const length = (bytes: number) => {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(bytes)
    return head
  }
  const refused = { code: 'INVALID_REQUEST' }
  const reader = () => new FrameReader(undefined, OPENING, 'out')
  t.throws(() => reader().push(length(0)), refused, 'nothing')
  t.throws(() => reader().push(length(MESSAGE_BYTES_MAX + 2)), refused, 'too long')
  t.same(reader().push(length(MESSAGE_BYTES_MAX + 1)), [], 'the longest')
  t.throws(() => reader().push(Buffer.from('GET / HTTP/1.1\r\n\r\n')), refused, 'another protocol')
  t.throws(() => reader().push(Buffer.from([0, 0, 0, 1, 9])), refused, 'an unknown kind')
})
