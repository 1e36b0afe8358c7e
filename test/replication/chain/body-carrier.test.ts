import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { realEnv } from '../../../src/env.ts'
import { StoreError } from '../../../src/errors.ts'
import { BodyCarrier } from '../../../src/replication/chain/body-carrier.ts'
import type { Message, Tag } from '../../../src/replication/chain/messages.ts'
import { sealed } from '../../../src/replication/chain/sealed-body.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import { LmdbStorage } from '../../../src/storage/lmdb-storage.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { ReplicaStore } from '../../../src/storage/replica-store.ts'
import type { GrowingBody } from '../../../src/storage/storage.ts'
import type { NodeId } from '../../../src/views/view.ts'
import { manualEnv } from '../../manual-env.ts'
import { bodyOf, chunksOf, sha256Of } from '../../storage/conformance.ts'
import { node } from './bench.ts'

const bytes = bodyOf(200_000)
const blob = { blobId: 'b'.repeat(32) as BlobId, sha256: sha256Of(bytes) }
const sizeMax = 1e7

/** Nodes that carry bodies to each other; `lost` ones can't be reached. */
function network(
  names: string[],
  storeOf = (): ReplicaStore => new MemoryStorage({ env: realEnv() }).replica,
) {
  const env = manualEnv()
  const stores = new Map<NodeId, ReplicaStore>()
  const carriers = new Map<NodeId, BodyCarrier>()
  const lost = new Set<NodeId>()
  const pushes: string[] = []
  const sent: [NodeId, string][] = []
  const kept = new Set<BlobId>()
  const refusals: unknown[] = []
  const reach = (name: NodeId) => {
    if (lost.has(name)) throw new StoreError('UNAVAILABLE', 'lost')
    return stores.get(name) as ReplicaStore
  }
  for (const name of names.map(node)) {
    const store = storeOf()
    stores.set(name, store)
    const carrier = new BodyCarrier({
      env,
      self: name,
      store,
      send: (to, { kind }) => sent.push([to, kind]),
      isKept: blobId => kept.has(blobId),
      refused: error => refusals.push(error),
      undelivered: to => sent.push([name, `undelivered to ${to}`]),
      nowhere: ({ kind }) => sent.push([name, `${kind} nowhere`]),
      holders: () => names.map(node).filter(other => other !== name),
      peers: {
        hasBody: async (to, blobId) => reach(to).hasBlob(blobId),
        pushBody: async (to, ref, body) => {
          reach(to)
          pushes.push(`${name}>${to}`)
          await (carriers.get(to) as BodyCarrier).receive(ref, body)
        },
        sendAhead: async (to, blobId, body, onward, signal) => {
          reach(to)
          pushes.push(`${name}>${to} ahead`)
          await (carriers.get(to) as BodyCarrier).receiveAhead(blobId, body, onward, signal)
        },
        pullBody: async (from, blobId, { first }) => reach(from).openBlob(blobId, first),
      },
    })
    carriers.set(name, carrier)
  }
  const carrier = (name: string) => carriers.get(node(name)) as BodyCarrier
  const store = (name: string) => stores.get(node(name)) as ReplicaStore
  return { env, carrier, store, lost, pushes, sent, kept }
}

const stage: Message & { kind: 'stage' } = { kind: 'stage', tag: 't' as Tag, viewId: 'v' as never, blob }

t.test('a body for this node itself is looked for on its disk, and at others', async t => {
  const { carrier, store, lost, pushes, sent } = network(['a', 'b'])
  const settled = () => new Promise(resolve => setImmediate(resolve))
  const carried = async () => {
    carrier('a').carry(node('a'), stage)
    for (let i = 0; i < 20; i++) await settled()
    return sent.splice(0)
  }
  t.same(await carried(), [[node('a'), 'stage nowhere']], 'it has gone meanwhile')
  lost.add(node('b'))
  t.same(await carried(), [], 'b may have it: whoever waits asks again')
  lost.delete(node('b'))
  await store('b').receive(blob.blobId, chunksOf(bytes), { sizeMax })
  t.same(await carried(), [[node('a'), 'stage']])
  t.ok(await store('a').hasBlob(blob.blobId))
  t.same(pushes, [])
})

t.test('the message follows the body, which travels once', async t => {
  const { carrier, store, pushes, sent } = network(['a', 'b'])
  await store('a').receive(blob.blobId, chunksOf(bytes), { sizeMax })
  const both = [carrier('a').push(node('b'), blob), carrier('a').push(node('b'), blob)]
  t.equal(carrier('a').pushing, 1)
  carrier('a').carry(node('b'), stage)
  await Promise.all(both)
  await carrier('a').push(node('b'), blob)
  t.same(pushes, ['a>b'])
  t.same(sent, [[node('b'), 'stage']])
  t.ok(await carrier('b').hasBody(stage))
  t.ok((await buffer(await store('b').openBlob(blob.blobId, 0))).equals(bytes))
  t.equal(carrier('a').pushing, 0)
})

t.test('bytes that nobody takes are let go', async t => {
  const { carrier, store, lost } = network(['a', 'b', 'c'])
  await store('c').receive(blob.blobId, chunksOf(bytes), { sizeMax })
  await carrier('a').fetch(blob, undefined)
  const opened: Readable[] = []
  for (const name of ['a', 'c']) {
    const from = store(name)
    const open = from.openBlob.bind(from)
    from.openBlob = async (...body) => {
      const stream = await open(...body)
      opened.push(stream)
      // Whoever the bytes are for is gone just now.
      lost.add(node('b'))
      return stream
    }
  }
  await t.rejects(carrier('a').push(node('b'), blob), { code: 'UNAVAILABLE' }, 'from here')
  lost.clear()
  store('a').hasBlob = async () => false
  await t.rejects(carrier('a').push(node('b'), blob), { code: 'UNAVAILABLE' }, 'from another')
  t.same(
    opened.map(stream => stream.destroyed),
    [true, true],
  )
})

t.test('a body that is not here is brought from one who has it', async t => {
  const { carrier, store, lost, sent } = network(['a', 'b', 'c', 'd'])
  await store('d').receive(blob.blobId, chunksOf(bytes), { sizeMax })
  lost.add(node('b'))
  await carrier('a').push(node('c'), blob)
  t.ok(await store('c').hasBlob(blob.blobId))
  t.notOk(await store('a').hasBlob(blob.blobId), 'it only passed through')
  const other = { ...blob, blobId: 'c'.repeat(32) as BlobId }
  carrier('a').carry(node('c'), { ...stage, blob: other })
  await new Promise(resolve => setImmediate(resolve))
  t.same(sent.splice(0), [[node('a'), 'undelivered to c']], 'one that could have it was not reached')
  lost.clear()
  await t.rejects(carrier('a').fetch(other, undefined), { code: 'FILE_NOT_FOUND' })
  carrier('a').carry(node('c'), { ...stage, blob: other })
  await new Promise(resolve => setImmediate(resolve))
  t.same(sent.splice(0), [[node('a'), 'stage nowhere']], 'nobody has it')
  await carrier('a').fetch(blob, undefined)
  t.ok(await store('a').hasBlob(blob.blobId), 'a node gets what it needs itself')
  await carrier('a').fetch(blob, undefined)
  for (const name of ['b', 'c', 'd']) lost.add(node(name))
  await t.rejects(carrier('a').push(node('c'), blob), { code: 'UNAVAILABLE' })
  await t.rejects(carrier('a').fetch(other, undefined), { code: 'UNAVAILABLE' })
  carrier('a').carry(node('c'), stage)
  await new Promise(resolve => setImmediate(resolve))
  t.same(
    sent,
    [[node('a'), 'undelivered to c']],
    'a message whose body could not be brought is not sent, and who did not take it is asked whether it is there',
  )
})

t.test('a body with another hash than announced is refused, and does not stay', async t => {
  const { carrier, store } = network(['a'])
  const wrong = { ...blob, sha256: '0'.repeat(64) }
  await t.rejects(carrier('a').receive(wrong, chunksOf(bytes)), { code: 'CORRUPT' })
  t.notOk(await store('a').hasBlob(blob.blobId))
  await carrier('a').receive(blob, chunksOf(bytes))
  t.ok(await store('a').hasBlob(blob.blobId))
  const again = Readable.from([Buffer.from('let go by')], { objectMode: false })
  await carrier('a').receive(blob, again)
  t.ok(again.readableEnded || again.destroyed)
})

t.test('whoever asks for a body of which only a damaged copy is here is told that it is lacked', async t => {
  const { carrier, store, pushes, sent, lost } = network(['a', 'b', 'c'])
  const wanted: Message & { kind: 'blob' } = { kind: 'blob', blob }
  const [first = 0, ...rest] = bytes
  const damaged = Buffer.from([first ^ 1, ...rest])
  await store('a').receive(blob.blobId, chunksOf(damaged), { sizeMax })

  const carried = async (message: typeof wanted | typeof stage) => {
    carrier('a').carry(node('b'), message)
    await until(() => sent.length > 0)
    return sent.splice(0)
  }
  t.same(await carried(wanted), [[node('b'), 'blob-missing']], 'nobody else has it')
  t.same(await carried(stage), [[node('a'), 'stage nowhere']])
  t.notOk(await store('b').hasBlob(blob.blobId))
  t.ok(await store('a').hasBlob(blob.blobId), 'most of its blocks may be good')

  lost.add(node('c'))
  t.same(await carried(wanted), [[node('b'), 'blob-missing']], 'another node that may have it is not reached')
  t.same(await carried(stage), [[node('a'), 'undelivered to b']], 'a write waits for that one')

  lost.clear()
  await store('c').receive(blob.blobId, chunksOf(bytes), { sizeMax })
  pushes.splice(0)
  t.same(await carried(wanted), [[node('b'), 'blob']], 'the other one has a good copy')
  t.same(pushes, ['a>b', 'a>b'])
  t.ok((await buffer(await store('b').openBlob(blob.blobId, 0))).equals(bytes))
})

t.test('a good copy that was damaged on its way is sent again', async t => {
  const { carrier, store, sent } = network(['a', 'b'])
  await store('a').receive(blob.blobId, chunksOf(bytes), { sizeMax })
  const receive = store('b').receive.bind(store('b'))
  store('b').receive = (id, _body, options) => receive(id, chunksOf(bytes.subarray(1)), options)
  carrier('a').carry(node('b'), { kind: 'blob', blob })
  await until(() => sent.length > 0)
  t.same(sent, [[node('a'), 'undelivered to b']])
})

t.test('what no view took is dropped after a while, what one did stays', async t => {
  const { env, carrier, store, kept } = network(['a'])
  const second = { ...blob, blobId: 'c'.repeat(32) as BlobId }
  await carrier('a').receive(blob, chunksOf(bytes))
  await carrier('a').receive(second, chunksOf(bytes))
  kept.add(second.blobId)
  await env.advance(14 * 60_000)
  t.ok(await store('a').hasBlob(blob.blobId))
  await env.advance(2 * 60_000)
  t.notOk(await store('a').hasBlob(blob.blobId))
  t.ok(await store('a').hasBlob(second.blobId))
  await carrier('a').receive(blob, chunksOf(bytes))
  carrier('a').close()
  t.equal(env.waiting, 0)
})

t.test('a good copy takes the place of a bad one, from whoever has it', async t => {
  const { carrier, store, lost, kept } = network(['a', 'b', 'c'])
  await store('a').receive(blob.blobId, chunksOf(bodyOf(200_000, 2)), { sizeMax })
  await store('b').receive(blob.blobId, chunksOf(bodyOf(200_000, 3)), { sizeMax })
  kept.add(blob.blobId)
  const restore = () => carrier('a').restore(parsePathName('x'), blob)
  await t.rejects(restore(), { code: 'CORRUPT' }, 'nobody has one yet')
  await store('c').receive(blob.blobId, chunksOf(bytes), { sizeMax })
  lost.add(node('c'))
  await t.rejects(restore(), { code: 'CORRUPT' })
  lost.delete(node('c'))
  await restore()
  t.ok((await buffer(await store('a').openBlob(blob.blobId, 0))).equals(bytes))
})

/** Three nodes with disks; only those can read a body that still comes in. */
async function withDisks(t: Test) {
  const names = ['a', 'b', 'c']
  const disks: LmdbStorage[] = []
  const folder = t.testdir()
  for (const name of names) {
    const disk = await LmdbStorage.open({ env: realEnv() }, { directory: `${folder}/${name}` })
    t.teardown(() => disk.close())
    disks.push(disk)
  }
  const left = [...disks]
  const nodes = network(names, () => (left.shift() as LmdbStorage).replica)
  return { ...nodes, disks }
}

const never = new AbortController().signal
const large = bodyOf(4_000_000)

t.test('a body passes from node to node while it comes in, and is pushed to nobody again', async t => {
  const { carrier, store, disks, pushes } = await withDisks(t)
  async function* slow() {
    yield large.subarray(0, 2_000_000)
    // The last node has begun to receive it before the first one has all of it.
    await until(() => pushes.includes('b>c ahead'))
    yield large.subarray(2_000_000)
  }
  const sent: Promise<void>[] = []
  const onGrowing = (body: GrowingBody) => {
    sent.push(carrier('a').sendAhead(body, [node('b'), node('c')]))
  }
  const staged = await (disks[0] as LmdbStorage).stage(slow(), { sizeMax, onGrowing })
  const ref = { blobId: (staged.content as { blobId: BlobId }).blobId, sha256: staged.sha256 }
  await Promise.all([carrier('a').push(node('b'), ref), carrier('a').push(node('c'), ref), ...sent])
  t.same(pushes, ['a>b ahead', 'b>c ahead'])
  for (const name of ['b', 'c'])
    t.ok((await buffer(await store(name).openBlob(ref.blobId, 0))).equals(large), name)
})

t.test('where a body does not get ahead it is pushed', async t => {
  const { carrier, store, disks, pushes, lost } = await withDisks(t)
  lost.add(node('c'))
  const sent: Promise<void>[] = []
  const onGrowing = (body: GrowingBody) => {
    sent.push(carrier('a').sendAhead(body, [node('b'), node('c')]))
  }
  const staged = await (disks[0] as LmdbStorage).stage(chunksOf(large), { sizeMax, onGrowing })
  await Promise.all(sent)
  lost.clear()
  const ref = { blobId: (staged.content as { blobId: BlobId }).blobId, sha256: staged.sha256 }
  await Promise.all([carrier('a').push(node('b'), ref), carrier('a').push(node('c'), ref)])
  t.same(pushes, ['a>b ahead', 'a>c'])
  for (const name of ['b', 'c']) t.ok(await store(name).hasBlob(ref.blobId), name)
})

t.test('a body whose seal is another hash stays at no node that it has passed', async t => {
  const { carrier, store } = await withDisks(t)
  const wrong = sealed(chunksOf(large), Promise.resolve('0'.repeat(64)))
  const receipt = carrier('a').receiveAhead(blob.blobId, wrong, [node('b')], never)
  await t.rejects(receipt, { code: 'CORRUPT' })
  for (const name of ['a', 'b']) t.notOk(await store(name).hasBlob(blob.blobId), name)
})

t.test('a body that stands still on its way is given up; one that is here is not taken again', async t => {
  const { env, carrier, store } = await withDisks(t)
  async function* standing() {
    yield bytes
    await new Promise(() => {})
  }
  const receipt = carrier('a').receiveAhead(blob.blobId, standing(), [], never)
  receipt.catch(() => undefined)
  await until(() => env.waiting > 0)
  await env.advance(61_000)
  await t.rejects(receipt, { code: 'UNAVAILABLE' })
  t.notOk(await store('a').hasBlob(blob.blobId))
  const whole = () => sealed(chunksOf(bytes), Promise.resolve(blob.sha256))
  await carrier('a').receiveAhead(blob.blobId, whole(), [], never)
  t.ok(await store('a').hasBlob(blob.blobId))
  await t.rejects(carrier('a').receiveAhead(blob.blobId, whole(), [], never), { code: 'UNAVAILABLE' })
  carrier('a').close()
  t.equal(env.waiting, 0)
})

t.test('a push ends the receipt of the same body that stands still', async t => {
  const { carrier, store } = await withDisks(t)
  async function* standing() {
    yield bytes
    await new Promise(() => {})
  }
  const receipt = carrier('a').receiveAhead(blob.blobId, standing(), [], never)
  receipt.catch(() => undefined)
  await carrier('a').receive(blob, chunksOf(bytes))
  await t.rejects(receipt, { code: 'UNAVAILABLE' })
  t.ok((await buffer(await store('a').openBlob(blob.blobId, 0))).equals(bytes))
  carrier('a').close()
})

t.test('a push that stands still gives way to another one of the same body', async t => {
  const { env, carrier, store } = await withDisks(t)
  let isStanding = false
  async function* standing() {
    yield bytes
    isStanding = true
    await new Promise(() => {})
  }
  const first = carrier('a').receive(blob, standing())
  first.catch(() => undefined)
  await until(() => isStanding)
  const whole = sealed(chunksOf(bytes), Promise.resolve(blob.sha256))
  await t.rejects(carrier('a').receiveAhead(blob.blobId, whole, [], never), { code: 'UNAVAILABLE' })
  const second = carrier('a').receive(blob, chunksOf(bytes))
  await until(() => env.waiting > 0)
  await env.advance(2_100)
  await t.rejects(first, { code: 'UNAVAILABLE' })
  await second
  t.ok((await buffer(await store('a').openBlob(blob.blobId, 0))).equals(bytes))
  carrier('a').close()
  t.equal(env.waiting, 0)
})

t.test(
  'a push that waits is stored when the first one was damaged, and is not read when it was good',
  async t => {
    const { env, carrier, store } = await withDisks(t)
    for (const [name, isGood] of [
      ['a', true],
      ['b', false],
    ] as const) {
      const waiting = env.waiting
      let goOn: (() => void) | undefined
      async function* slow() {
        yield bytes.subarray(0, 100_000)
        await new Promise<void>(resolve => {
          goOn = resolve
        })
        yield isGood ? bytes.subarray(100_000) : Buffer.alloc(100_000)
      }
      let isRead = false
      async function* other() {
        isRead = true
        yield bytes
      }
      const first = carrier(name)
        .receive(blob, slow())
        .then(
          () => 'stored',
          error => error.code,
        )
      await until(() => goOn !== undefined)
      const second = carrier(name).receive(blob, other())
      await until(() => env.waiting > waiting)
      goOn?.()
      t.equal(await first, isGood ? 'stored' : 'CORRUPT')
      await second
      t.equal(isRead, !isGood)
      t.ok((await buffer(await store(name).openBlob(blob.blobId, 0))).equals(bytes))
      carrier(name).close()
    }
  },
)

async function until(condition: () => boolean) {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}
