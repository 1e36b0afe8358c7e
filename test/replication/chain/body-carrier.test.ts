import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { StoreError } from '../../../src/errors.ts'
import { BodyCarrier } from '../../../src/replication/chain/body-carrier.ts'
import type { Message, Tag } from '../../../src/replication/chain/messages.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { ReplicaStore } from '../../../src/storage/replica-store.ts'
import type { NodeId } from '../../../src/views/view.ts'
import { manualEnv } from '../../manual-env.ts'
import { bodyOf, chunksOf, sha256Of } from '../../storage/conformance.ts'
import { node } from './bench.ts'

const bytes = bodyOf(200_000)
const blob = { blobId: 'b'.repeat(32) as BlobId, sha256: sha256Of(bytes) }
const sizeMax = 1e6

/** Nodes that carry bodies to each other; `lost` ones can't be reached. */
function network(names: string[]) {
  const env = manualEnv()
  const stores = new Map<NodeId, ReplicaStore>()
  const carriers = new Map<NodeId, BodyCarrier>()
  const lost = new Set<NodeId>()
  const pushes: string[] = []
  const sent: [NodeId, string][] = []
  const kept = new Set<BlobId>()
  const reach = (name: NodeId) => {
    if (lost.has(name)) throw new StoreError('UNAVAILABLE', 'lost')
    return stores.get(name) as ReplicaStore
  }
  for (const name of names.map(node)) {
    const store = new MemoryStorage({ env: realEnv() }).replica
    stores.set(name, store)
    const carrier = new BodyCarrier({
      env,
      store,
      send: (to, { kind }) => sent.push([to, kind]),
      isKept: blobId => kept.has(blobId),
      nowhere: ({ kind }) => sent.push([name, `${kind} nowhere`]),
      holders: () => names.map(node).filter(other => other !== name),
      peers: {
        hasBody: async (to, blobId) => reach(to).hasBlob(blobId),
        pushBody: async (to, ref, body) => {
          reach(to)
          pushes.push(`${name}>${to}`)
          await (carriers.get(to) as BodyCarrier).receive(ref, body)
        },
        pullBody: async (from, blobId, first) => reach(from).openBlob(blobId, first),
      },
    })
    carriers.set(name, carrier)
  }
  const carrier = (name: string) => carriers.get(node(name)) as BodyCarrier
  const store = (name: string) => stores.get(node(name)) as ReplicaStore
  return { env, carrier, store, lost, pushes, sent, kept }
}

const stage: Message & { kind: 'stage' } = { kind: 'stage', tag: 't' as Tag, viewId: 'v' as never, blob }

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
  t.same(sent, [], 'one that could have it was not reached')
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
  t.same(sent, [], 'a message whose body could not be brought is not sent')
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
