import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import t from 'tap'
import { StoreError } from '../../../src/errors.ts'
import { BlockShelf } from '../../../src/replication/chain/block-shelf.ts'
import type { WantedBytes } from '../../../src/replication/chain/body-sources.ts'
import { RemoteBlocks } from '../../../src/replication/chain/remote-blocks.ts'
import { remoteStream } from '../../../src/replication/chain/remote-pieces.ts'
import { DownloadRoom } from '../../../src/storage/download-room.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../../src/storage/record.ts'
import { bodyOf } from '../../storage/conformance.ts'
import { node, path } from './bench.ts'

const bytes = bodyOf(2 * BLOCK_BYTES + 100)
const record: FileRecord = {
  path: path('f'),
  version: { epoch: 1, seq: 1 },
  body: {
    size: bytes.length,
    sha256: '',
    blockChecksums: [0, 1, 2].map(i => crc32(bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES))),
    content: { blobId: 'b'.repeat(32) as BlobId },
  },
  meta: { mediaType: '' },
  writtenAtMs: 0,
}
const whole = { first: 0, last: bytes.length - 1 }

/** Holders that keep these bytes; one without is silent. */
function network(kept: readonly (Uint8Array | undefined)[], blocksMax = 8, wholeMax = 0) {
  const sources: Readable[] = []
  const room = new DownloadRoom({ wholeMax, readsMax: 2 })
  const shelf = new BlockShelf({ blocksMax })
  const open = (range = whole) => {
    const pull = async (name: string, { first, last = 0 }: WantedBytes) => {
      const held = kept[Number(name)]
      if (held === undefined) throw new StoreError('UNAVAILABLE', 'silent')
      const source = Readable.from([held.subarray(first, last + 1)], { objectMode: false })
      sources.push(source)
      return source
    }
    const holders = kept.map((_, index) => node(`${index}`))
    const blocks = new RemoteBlocks({ holders, pull }, { record, range, sawBadBlock: false })
    return remoteStream({ blocks, room, shelf }, { record, range })
  }
  return { open, sources, room }
}

t.test('all bytes of any range come in small pieces, and no holder is held on to', async t => {
  const { open, sources } = network([undefined, bytes])
  for (const range of [
    whole,
    { first: 5, last: 5 },
    { first: BLOCK_BYTES - 1, last: BLOCK_BYTES },
    { first: 100_000, last: 2 * BLOCK_BYTES + 7 },
  ]) {
    const pieces = (await (await open(range)).toArray()) as Buffer[]
    t.ok(Buffer.concat(pieces).equals(bytes.subarray(range.first, range.last + 1)))
    // A small piece may share the pool that Node.js takes small buffers from, which is larger since version 26; never a block.
    const held = 2 * Math.max(16 * 1024, Buffer.poolSize)
    t.ok(pieces.every(piece => piece.length <= 16 * 1024 && piece.buffer.byteLength <= held))
  }
  t.ok(sources.every(source => source.destroyed))
})

t.test('a crowd that stands still holds no connection, few blocks, and loses no byte', async t => {
  const { open, sources } = network([bytes], 2)
  const crowd = await Promise.all(Array.from({ length: 9 }, () => open()))
  t.ok(sources.every(source => source.destroyed))
  const before = sources.length
  t.equal(before, 9, 'each has had one block')
  for (const stream of crowd) t.ok(Buffer.concat(await stream.toArray()).equals(bytes))
  t.ok(sources.length > before + 9 * 2, 'most of them fetched their first block again, in pieces')
})

t.test('a piece that is fetched again is checked again', async t => {
  const spoiled = Buffer.from(bytes)
  const kept: Uint8Array[] = [bytes, bytes]
  const { open } = network(kept, 1)
  const [first] = [await open(), await open()]
  spoiled[40_000] = (spoiled[40_000] as number) ^ 1
  kept[0] = spoiled
  t.ok(Buffer.concat(await first.toArray()).equals(bytes), 'the other holder has a good one')
  kept[0] = bytes
  const again = await open()
  await open()
  kept[0] = kept[1] = spoiled
  await t.rejects(again.toArray(), { code: 'CORRUPT' })
})

t.test('a few stream whole blocks, and give their place back however they end', async t => {
  const { open, room } = network([bytes], 8, 1)
  const stream = await open()
  t.notOk(room.tryTakeWhole())
  t.ok(Buffer.concat(await stream.toArray()).equals(bytes))
  t.ok(room.tryTakeWhole())
  room.giveWhole()
  const dropped = await open()
  dropped.destroy()
  await new Promise(resolve => dropped.once('close', resolve))
  t.ok(room.tryTakeWhole())
  room.giveWhole()
  const none = network([undefined], 8, 1)
  await t.rejects(none.open(), { code: 'UNAVAILABLE' })
  t.ok(none.room.tryTakeWhole())
  await t.rejects(none.open(), { code: 'UNAVAILABLE' })
})
