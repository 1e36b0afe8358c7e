import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import t from 'tap'
import { StoreError } from '../../../src/errors.ts'
import { RemoteBlocks } from '../../../src/replication/chain/remote-blocks.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../../src/storage/record.ts'
import { bodyOf } from '../../storage/conformance.ts'
import { node, path } from './bench.ts'

const bytes = bodyOf(2 * BLOCK_BYTES + 100)
const blocks = [0, 1, 2].map(i => bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES))
const record: FileRecord = {
  path: path('f'),
  version: { epoch: 1, seq: 1 },
  body: {
    size: bytes.length,
    sha256: '',
    blockChecksums: blocks.map(block => crc32(block)),
    content: { blobId: 'b'.repeat(32) as BlobId },
  },
  meta: { mediaType: '' },
  writtenAtMs: 0,
}

/** What a holder sends: its bytes from `first` on in odd chunks, and then perhaps an error. */
type Holder = (first: number) => { readonly bytes: Uint8Array; readonly fault?: Error } | Error

const good: Holder = first => ({ bytes: bytes.subarray(first) })
const rotten =
  (block: number): Holder =>
  first => {
    const copy = Buffer.from(bytes)
    copy[block * BLOCK_BYTES + 5] = (copy[block * BLOCK_BYTES + 5] as number) ^ 1
    return { bytes: copy.subarray(first) }
  }
const breaksOff =
  (at: number): Holder =>
  first => ({ bytes: bytes.subarray(first, Math.max(first, at)), fault: new Error('cut') })
const short: Holder = first => ({ bytes: bytes.subarray(first, -1) })
const silent: Holder = () => new StoreError('UNAVAILABLE', 'silent')
const without: Holder = () => new StoreError('FILE_NOT_FOUND', 'gone')

const whole = { first: 0, last: bytes.length - 1 }

function remote(holders: Holder[], sawBadBlock = false, range = whole) {
  const pulls: [string, number][] = []
  const made = new RemoteBlocks(
    {
      holders: holders.map((_, i) => node(`${i}`)),
      pull: async (name, { first }) => {
        pulls.push([name, first])
        const answer = (holders[Number(name)] as Holder)(first)
        if (answer instanceof Error) throw answer
        async function* chunks() {
          const { bytes, fault } = answer as { bytes: Uint8Array; fault?: Error }
          for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001)
          if (fault) throw fault
        }
        return Readable.from(chunks(), { objectMode: false })
      },
    },
    { record, range, sawBadBlock },
  )
  const read = async (index: number) =>
    Buffer.concat(await made.read(index, (blocks[index] as Buffer).length))
  return { pulls, read, made }
}

const rows: [string, Holder[], [string, number][]][] = [
  ['one good holder, one request', [good], [['0', 0]]],
  [
    'the next one when the first is silent or without',
    [silent, without, good],
    [
      ['0', 0],
      ['1', 0],
      ['2', 0],
    ],
  ],
  [
    'the next one in the middle of a block',
    [breaksOff(BLOCK_BYTES + 10), good],
    [
      ['0', 0],
      ['1', BLOCK_BYTES],
    ],
  ],
  [
    'the next one from a bad block on',
    [rotten(1), good],
    [
      ['0', 0],
      ['1', BLOCK_BYTES],
    ],
  ],
  [
    'good blocks of two bad holders',
    [rotten(2), rotten(0)],
    [
      ['0', 0],
      ['1', 2 * BLOCK_BYTES],
    ],
  ],
  [
    'a body that lacks its end',
    [short, good],
    [
      ['0', 0],
      ['1', 2 * BLOCK_BYTES],
    ],
  ],
]
for (const [name, holders, wanted] of rows) {
  t.test(name, async t => {
    const { read, pulls } = remote(holders)
    for (const [index, block] of blocks.entries()) t.ok(block.equals(await read(index)), `block ${index}`)
    t.same(pulls, wanted)
  })
}

t.test('what it says when nobody has good bytes', async t => {
  const faults: [Holder[], boolean, string][] = [
    [[rotten(0), rotten(0)], false, 'CORRUPT'],
    [[rotten(0), silent], false, 'CORRUPT'],
    [[silent], true, 'CORRUPT'],
    [[], true, 'CORRUPT'],
    [[], false, 'UNAVAILABLE'],
    [[silent, without], false, 'UNAVAILABLE'],
    [[without, without], false, 'FILE_NOT_FOUND'],
  ]
  for (const [holders, sawBadBlock, code] of faults) {
    await t.rejects(remote(holders, sawBadBlock).read(0), { code, path: 'f' })
  }
})

t.test('a range in the middle begins at its block', async t => {
  const { read, pulls } = remote([good])
  t.ok((blocks[2] as Buffer).equals(await read(2)))
  t.same(pulls, [['0', 2 * BLOCK_BYTES]])
})

t.test('the stream has the bytes of the range, from as many holders as it takes', async t => {
  const ranges = [
    whole,
    { first: 5, last: 5 },
    { first: BLOCK_BYTES - 1, last: BLOCK_BYTES },
    { first: 100_000, last: 2 * BLOCK_BYTES + 7 },
    { first: 2 * BLOCK_BYTES, last: bytes.length - 1 },
  ]
  for (const range of ranges) {
    const { made } = remote([rotten(1), breaksOff(2 * BLOCK_BYTES + 1), good], false, range)
    const got = Buffer.concat(await (await made.stream()).toArray())
    t.ok(got.equals(bytes.subarray(range.first, range.last + 1)), `bytes ${range.first}-${range.last}`)
  }
})

t.test('a first block that nobody has is refused at once, a later one breaks the stream off', async t => {
  await t.rejects(remote([rotten(0)]).made.stream(), { code: 'CORRUPT' })
  const stream = await remote([rotten(1)]).made.stream()
  let passed = 0
  const all = async () => {
    for await (const chunk of stream) passed += (chunk as Buffer).length
  }
  await t.rejects(all(), { code: 'CORRUPT' })
  t.equal(passed, BLOCK_BYTES, 'no byte of the bad block')
})

t.test('whoever lets go of the stream lets go of the holder', async t => {
  const source = new Readable({ read() {} })
  source.push(bytes.subarray(0, BLOCK_BYTES))
  const asked: string[] = []
  const pull = async (name: string) => {
    asked.push(name)
    return source
  }
  const made = new RemoteBlocks(
    { holders: [node('a'), node('b')], pull },
    { record, range: whole, sawBadBlock: false },
  )
  const stream = await made.stream()
  stream.destroy()
  await new Promise(resolve => stream.once('close', resolve))
  t.ok(source.destroyed)
  await new Promise(resolve => setImmediate(resolve))
  t.same(asked, ['a'], 'and asks nobody else')
})
