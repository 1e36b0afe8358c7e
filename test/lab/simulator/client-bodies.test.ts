import t from 'tap'
import { StoreError } from '../../../src/errors.ts'
import { bytesOf, findAndRead, sending, sha256Of } from '../../../src/lab/simulator/client-bodies.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import type { Replication } from '../../../src/replication/replication.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'

const PATH = parsePathName('p1')
const content = { blobId: '1'.repeat(32) as never }

t.test('a name stands for bytes, of which some are of more than one block', async t => {
  const names = Array.from({ length: 300 }, (_, index) => `${index}`.padStart(64, '0'))
  const sizes = names.map(sha256 => bytesOf({ sha256, content }).length)
  t.ok(sizes.every(size => size >= 200))
  t.ok(sizes.some(size => size > 2 ** 20))
  const [name] = names as [string]
  t.same(bytesOf({ sha256: name, content }), bytesOf({ sha256: name, content }))
  t.ok(bytesOf({ sha256: name, content: { inline: new Uint8Array() } }).length <= 40)
})

t.test('a client sends all of it, in pieces', async t => {
  const random = new SeededRandom(1)
  for (let times = 0; times < 20; times++) {
    const pieces: Uint8Array[] = []
    const timers = { sleep: async () => undefined }
    for await (const piece of sending(Buffer.from('some bytes'), { timers, random })) pieces.push(piece)
    t.equal(Buffer.concat(pieces).toString(), 'some bytes')
  }
})

function replicationOf(reads: readonly (string | Error)[], size = 5): Replication {
  const left = [...reads]
  const body = { size, sha256: sha256Of(Buffer.from('right')), blockChecksums: [], content }
  return {
    find: async () => ({ record: { path: PATH, body } }),
    read: async () => {
      const read = left.shift() as string | Error
      if (typeof read !== 'string') throw read
      return Buffer.from(read)
    },
  } as never
}

t.test('what is read has to be what was sent; a version that went meanwhile is looked for anew', async t => {
  const replaced = new StoreError('FILE_NOT_FOUND', 'replaced')
  t.ok(await findAndRead(replicationOf([replaced, 'right']), PATH))
  await t.rejects(findAndRead(replicationOf([replaced, replaced, replaced]), PATH), {
    code: 'FILE_NOT_FOUND',
  })
  await t.rejects(findAndRead(replicationOf(['wrong']), PATH), /not those of its record/)
  await t.rejects(findAndRead(replicationOf(['right'], 6), PATH), /not those of its record/)
  const none = { find: async () => ({ record: undefined }) } as never
  t.same(await findAndRead(none, PATH), { record: undefined })
})
