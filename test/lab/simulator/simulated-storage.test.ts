import { text } from 'node:stream/consumers'
import t from 'tap'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { SimulatedDisk } from '../../../src/lab/simulator/simulated-disk.ts'
import { SimulatedReplicaStore } from '../../../src/lab/simulator/simulated-replica-store.ts'
import { SimulatedStorage } from '../../../src/lab/simulator/simulated-storage.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import type { FileRecord } from '../../../src/storage/record.ts'
import type { StagedBody } from '../../../src/storage/storage.ts'

const LARGE = 'x'.repeat(100)

async function bench() {
  const clock = new VirtualClock({ hasStreams: true })
  const random = new SeededRandom(1)
  const disk = new SimulatedDisk<Uint8Array>(
    { timers: clock, random },
    { syncMinMs: 1, syncMaxMs: 1, tear: 0 },
  )
  const store = new SimulatedReplicaStore({ disk })
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const randomness = { bytes: (length: number) => new Uint8Array(length).fill(random.int(0, 255)) }
  const storage = new SimulatedStorage(
    { env: clock.env({ randomness, log }), store },
    { nodeId: 'n1', boot: 1 },
  )
  const run = async <T>(work: Promise<T>) => {
    work.catch(() => undefined)
    await clock.runSettled(clock.monotonicMs() + 5)
    return work
  }
  const stage = (body: string) =>
    run(
      storage.stage(
        (async function* () {
          yield Buffer.from(body)
        })(),
        { sizeMax: 1_000 },
      ),
    )
  const keep = async (name: string, { stageId: _, ...body }: StagedBody) => {
    const path = parsePathName(name)
    const file: FileRecord = {
      path,
      version: { epoch: 1, seq: 1 },
      body,
      meta: { mediaType: 'text/plain' },
      writtenAtMs: 0,
    }
    const keepBlobs = 'blobId' in body.content ? [body.content.blobId] : []
    const records = [
      {
        path,
        record: { path, position: identifierOfPath(path), file, notes: new Uint8Array() },
        sizeBefore: undefined,
      },
    ]
    await run(store.apply({ records, values: [], keepBlobs, dropBlobs: [] }))
    return file
  }
  return { storage, stage, keep, run }
}

t.test('bodies are staged and read, and what nobody names goes', async t => {
  const { storage, stage, keep, run } = await bench()
  const small = await keep('b/small', await stage('small'))
  t.same(await storage.read(small), Buffer.from('small'))
  const staged = await stage(LARGE)
  storage.handOver(staged)
  const large = await keep('a/large', staged)
  t.equal(await text((await storage.read(large, { first: 90, last: 94 })) as never), 'xxxxx')
  const left = await stage(`${LARGE}!`)
  const blobId = 'blobId' in left.content ? left.content.blobId : undefined
  t.ok(blobId && (await storage.replica.hasBlob(blobId)))
  await run(storage.discard(left))
  t.notOk(blobId && (await storage.replica.hasBlob(blobId)))
  await t.rejects(storage.read({ ...large, body: left }), { code: 'FILE_NOT_FOUND' })
  const lost = 'blobId' in staged.content ? [staged.content.blobId] : []
  await run(storage.replica.apply({ records: [], values: [], keepBlobs: [], dropBlobs: lost }))
  await t.rejects(storage.read(large), { code: 'CORRUPT' }, 'the version that is here, without its body')
})

t.test('files are listed in order, and counted', async t => {
  const { storage, stage, keep } = await bench()
  await keep('b', await stage('22'))
  await keep('a', await stage('1'))
  t.same(
    [...storage.list('')].map(({ path, size }) => `${path} ${size}`),
    ['a 1', 'b 2'],
  )
  t.same(
    [...storage.list('', 'a')].map(({ path }) => path),
    ['b'],
  )
  t.match(storage.statistics(), { files: 2, bytes: 3, staged: 2 })
  t.equal((await storage.find(parsePathName('a')))?.body.size, 1)
  await storage.close()
  await t.rejects(stage('late'), { code: 'UNAVAILABLE' })
})
