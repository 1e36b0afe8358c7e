import { Readable } from 'node:stream'
import t from 'tap'
import { bodyPeers } from '../../src/calls/body-peers.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import type { BlobId } from '../../src/storage/record.ts'

const blobId = 'b'.repeat(32) as BlobId

t.test('a node is reached at its address, and one without an address is not', async t => {
  const asked: unknown[] = []
  const made = bodyPeers({
    signal: new AbortController().signal,
    addressOf: node => (node === 'known' ? ('there:1' as Address) : undefined),
    peers: {
      call: async (to, call) => {
        asked.push([to, call])
        return { has: true }
      },
      stageBody: async (to, name, announced) => {
        asked.push([to, name, announced])
        return { has: true }
      },
      fetchBody: async (from, name, first) => {
        asked.push([from, name, first])
        return Readable.from(['x'])
      },
    },
  })
  const known = 'known' as NodeId
  t.equal(await made.hasBody(known, blobId), true)
  await made.pushBody(known, { blobId, sha256: 's' }, Readable.from(['x']))
  const onward = ['n2'] as NodeId[]
  await made.sendAhead(known, blobId, Readable.from(['x']), onward, new AbortController().signal)
  await made.pullBody(known, blobId, 7)
  t.same(asked, [
    ['there:1', { kind: 'has-body', blobId }],
    ['there:1', blobId, { sha256: 's' }],
    ['there:1', blobId, { onward }],
    ['there:1', blobId, 7],
  ])
  for (const attempt of [
    () => made.hasBody('x' as NodeId, blobId),
    () => made.pushBody('x' as NodeId, { blobId, sha256: 's' }, Readable.from(['x'])),
    () => made.pullBody('x' as NodeId, blobId, 0),
  ])
    await t.rejects(attempt() as Promise<unknown> as Promise<void>, { code: 'UNAVAILABLE' })
})
