import { buffer, text } from 'node:stream/consumers'
import t from 'tap'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { orAborted, SimulatedBodies } from '../../../src/lab/simulator/simulated-bodies.ts'
import { SimulatedDisk } from '../../../src/lab/simulator/simulated-disk.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { GrowingBody } from '../../../src/storage/storage.ts'

const ID = 'b'.repeat(32) as BlobId
const OPTIONS = { sizeMax: 1_000 }

function bench() {
  const clock = new VirtualClock({ hasStreams: true })
  const disk = new SimulatedDisk<Uint8Array>(
    { timers: clock, random: new SeededRandom(1) },
    { syncMinMs: 1, syncMaxMs: 1, tear: 0 },
  )
  const bodies = new SimulatedBodies({ disk })
  const run = async <T>(work: Promise<T>) => {
    work.catch(() => undefined)
    await clock.runSettled(clock.monotonicMs() + 5)
    return work
  }
  return { clock, disk, bodies, run }
}

async function* pieces(...texts: string[]) {
  for (const one of texts) yield Buffer.from(one)
}

t.test(
  'a body is there when it is durable, and goes with the next start unless a batch keeps it',
  async t => {
    const { disk, bodies, run } = bench()
    const received = bodies.receive(ID, pieces('one, ', 'two'), OPTIONS)
    t.equal(bodies.receive(ID, pieces('other'), OPTIONS), received, 'two receipts of a name are one')
    t.notOk(bodies.has(ID))
    t.match(await run(received), { size: 8, content: { blobId: ID } })
    t.ok(bodies.has(ID))
    t.equal(await text(bodies.open(ID, 5)), 'two')
    t.equal(await text(bodies.open(ID, 0, 2)), 'one')
    t.equal(bodies.unkept().length, 2)
    disk.write(bodies.batch([ID], []).changes)
    await run(new Promise<void>(resolve => disk.sync(() => resolve())))
    t.same(bodies.unkept(), [])
  },
)

t.test('what a batch drops is gone at once', async t => {
  const { disk, bodies, run } = bench()
  await run(bodies.receive(ID, pieces('bytes'), OPTIONS))
  const { changes, done } = bodies.batch([], [ID])
  t.notOk(bodies.has(ID))
  disk.write(changes)
  await run(new Promise<void>(resolve => disk.sync(() => resolve())))
  done()
  t.throws(() => bodies.open(ID, 0), { code: 'FILE_NOT_FOUND' })
  t.notOk(bodies.spoil(ID))
})

t.test('a disk may change bytes, and a good copy takes their place', async t => {
  const { bodies, run } = bench()
  const { sha256 } = await run(bodies.receive(ID, pieces('bytes'), OPTIONS))
  t.ok(bodies.spoil(ID))
  t.not(await text(bodies.open(ID, 0)), 'bytes')
  await t.rejects(run(bodies.replace(ID, sha256, pieces('other'))), { code: 'CORRUPT' })
  await run(bodies.replace(ID, sha256, pieces('by', 'tes')))
  t.equal(await text(bodies.open(ID, 0)), 'bytes')
})

t.test('a large body is told while it comes in, a small one lies in its record', async t => {
  const { bodies, run } = bench()
  let growing: GrowingBody | undefined
  const onGrowing = (body: GrowingBody) => {
    growing = body
  }
  t.match(await run(bodies.stage(ID, pieces('small'), { ...OPTIONS, onGrowing })), {
    content: { inline: Buffer.from('small') },
  })
  t.equal(growing, undefined)
  const large = 'x'.repeat(100)
  const staged = bodies.stage(ID, pieces(large, 'end'), { ...OPTIONS, onGrowing })
  await run(staged)
  const followed = await buffer((growing as unknown as GrowingBody).follow(new AbortController().signal))
  t.equal(followed.toString(), `${large}end`)
  await t.rejects(run(bodies.stage(ID, pieces(large), { sizeMax: 10 })), { code: 'FILE_TOO_LARGE' })
})

t.test('what an ended process was receiving is not written', async t => {
  const { bodies, run } = bench()
  const received = bodies.receive(ID, pieces('bytes'), OPTIONS)
  bodies.forgetReceipts()
  await t.rejects(run(received), { code: 'UNAVAILABLE' })
  t.notOk(bodies.has(ID))
})

t.test('a body that stands still ends with its signal', async t => {
  const { bodies, run } = bench()
  const ending = new AbortController()
  async function* still() {
    yield Buffer.from('one')
    await new Promise(() => undefined)
  }
  const received = bodies.receive(ID, still(), { ...OPTIONS, signal: ending.signal })
  ending.abort(new Error('no more'))
  await t.rejects(run(received), /no more/)
  await t.rejects(orAborted(Promise.resolve(1), ending.signal), /no more/)
  t.equal(await orAborted(Promise.resolve(1), undefined), 1)
})
