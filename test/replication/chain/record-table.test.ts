import fc from 'fast-check'
import t from 'tap'
import { absentRecord, type ChainRecord } from '../../../src/replication/chain/chain-record.ts'
import { MemoryRecords } from '../../../src/replication/chain/record-table.ts'
import { arcContains } from '../../../src/ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import { path } from './bench.ts'

const recordOf = (name: number, seq: number): ChainRecord => {
  const at = path(`p${name}`)
  return absentRecord(at, identifierOfPath(at), { epoch: 1, seq })
}
const positions = Array.from({ length: 40 }, (_, name) => identifierOfPath(path(`p${name}`)))
const position = fc.constantFrom(
  ...positions,
  '0'.repeat(40) as Identifier,
  '8'.padEnd(40, '0') as Identifier,
)
const arc = fc.record({ lo: position, hi: position })
const change = fc.record({ name: fc.nat(39), seq: fc.nat(3), isPut: fc.boolean() })

function filled(changes: { name: number; seq: number; isPut: boolean }[]): MemoryRecords {
  const table = new MemoryRecords()
  for (const { name, seq, isPut } of changes) {
    if (isPut) table.put(recordOf(name, seq))
    else table.delete(path(`p${name}`))
  }
  return table
}

const listed = (table: MemoryRecords, range: { lo: Identifier; hi: Identifier }, prefix = '') =>
  [...table.within(range, prefix)].map(({ path, version }) => `${path}@${version.seq}`).sort()

t.test('a range holds exactly the records whose positions lie in it', async () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), arc, (changes, range) => {
      const table = filled(changes)
      const all = listed(table, { lo: positions[0] as Identifier, hi: positions[0] as Identifier })
      const wanted = all.filter(text =>
        arcContains(range, identifierOfPath(path(text.split('@')[0] as string))),
      )
      return listed(table, range).join() === wanted.join()
    }),
  )
})

t.test('digests are equal exactly when the records are, whatever the way there', async () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 40 }),
      fc.array(change, { maxLength: 4 }),
      arc,
      (first, more, range) => {
        const [a, b] = [filled(first), filled([...first].reverse().concat(first, more))]
        return ['', '3', '8a'].every(prefix => {
          const same = listed(a, range, prefix).join() === listed(b, range, prefix).join()
          return (
            same === (JSON.stringify(a.digest(range, prefix)) === JSON.stringify(b.digest(range, prefix)))
          )
        })
      },
    ),
  )
})

t.test('a prefix of any length has its part of the range', async t => {
  const table = filled(positions.map((_, name) => ({ name, seq: 1, isPut: true })))
  const whole = { lo: positions[0] as Identifier, hi: positions[0] as Identifier }
  const digits = [...'0123456789abcdef']
  t.equal(
    digits.reduce((sum, digit) => sum + table.digest(whole, digit).count, 0),
    40,
  )
  t.equal(table.size, 40)
  const leaf = (positions[3] as string).slice(0, 4)
  t.equal(listed(table, whole, leaf).length, table.digest(whole, leaf).count)
})
