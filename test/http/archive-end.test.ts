import t from 'tap'
import { ArchiveEnd } from '../../src/http/archive-end.ts'

async function read(end: ArchiveEnd, ...chunks: Uint8Array[]): Promise<number> {
  let bytes = 0
  for await (const chunk of end.watching(
    (async function* () {
      yield* chunks
    })(),
  ))
    bytes += chunk.length
  return bytes
}

t.test('an archive is at its end behind 1,024 zero bytes', async t => {
  const whole = new ArchiveEnd()
  t.equal(await read(whole, Buffer.alloc(1024, 1), Buffer.alloc(600), Buffer.alloc(424)), 2048)
  t.ok(whole.isReached)
  const short = new ArchiveEnd()
  await read(short, Buffer.alloc(1024, 1), Buffer.alloc(1023))
  t.notOk(short.isReached)
  t.notOk(new ArchiveEnd().isReached, 'nothing at all is none')
})

t.test('zeros of a file are not the end', async t => {
  const end = new ArchiveEnd()
  end.entry(512, 2000)
  await read(end, Buffer.alloc(512, 1), Buffer.alloc(2048))
  t.notOk(end.isReached)
  await read(end, Buffer.alloc(1024))
  t.ok(end.isReached)
})

t.test('the zeros that fill up a block of a header are not the end', async t => {
  const end = new ArchiveEnd()
  await read(end, Buffer.alloc(512, 1), Buffer.from('9 path=a\n'), Buffer.alloc(503), Buffer.alloc(512))
  t.notOk(end.isReached)
})
