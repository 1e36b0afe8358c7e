import { join } from 'node:path'
import { open } from 'lmdb'
import t from 'tap'
import type { Identifier } from '../../src/ring/identifier.ts'
import { inParts, within } from '../../src/storage/lmdb-walk.ts'

t.test('a walk in parts misses nothing and repeats nothing, whatever is written meanwhile', async t => {
  const root = open<Buffer, Buffer>({
    path: join(t.testdir({}), 'x.mdb'),
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
  })
  t.teardown(() => root.close())
  const key = (n: number) => Buffer.from([n, ...Buffer.alloc(19), 0x61])
  await root.batch(() => {
    for (let n = 0; n < 100; n++) root.put(key(n), Buffer.from([n]))
  })
  const seen: number[] = []
  for (const { value } of inParts(root, key(3), key(98), 7)) {
    seen.push(value[0] as number)
    if (seen.length === 10) await root.remove(key(50))
  }
  t.same(
    seen,
    Array.from({ length: 95 }, (_, index) => index + 3).filter(n => n !== 50),
  )
  const at = (n: number) => n.toString(16).padStart(2, '0').padEnd(40, '0') as Identifier
  const values = (lo: number, hi: number) => Array.from(within(root, at(lo), at(hi)), ({ value }) => value[0])
  t.same(values(10, 12), [11, 12])
  t.same(values(98, 1), [99, 0, 1], 'over the end of the ring')
  t.equal(values(40, 40).length, 99, 'the whole ring')
})
