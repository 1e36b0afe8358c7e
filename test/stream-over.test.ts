import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { lending, streamOver } from '../src/stream-over.ts'

async function* doubled(source: Readable): AsyncGenerator<Buffer> {
  for await (const piece of source) yield Buffer.concat([piece, piece])
}

t.test('a stream takes its source with it, whether it was begun or not', async t => {
  const whole = Readable.from([Buffer.from('a'), Buffer.from('b')])
  t.equal((await buffer(streamOver(whole, doubled(whole)))).toString(), 'aabb')
  for (const begin of [false, true]) {
    const source = Readable.from([Buffer.from('a'), Buffer.from('b'), Buffer.from('c')])
    const stream = streamOver(source, doubled(source))
    if (begin) await once(stream, 'readable')
    stream.destroy()
    await once(stream, 'close')
    t.ok(source.destroyed, `begun: ${begin}`)
  }
})

t.test('what is lent is closed, however it was used', async t => {
  const source = () => Readable.from(['a'])
  const [used, unused, failing] = [source(), source(), source()]
  t.equal(await lending(used, async bytes => (await bytes.toArray()).length), 1)
  await lending(unused, async () => undefined)
  await t.rejects(
    lending(failing, async () => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
  t.same([used.destroyed, unused.destroyed, failing.destroyed], [true, true, true])
})
