import fc from 'fast-check'
import t from 'tap'
import { type KnownRange, RangeTable, toldRange } from '../../src/client/range-table.ts'
import { arcContains } from '../../src/ring/arc.ts'
import type { Identifier } from '../../src/ring/identifier.ts'

const at = (position: number) => position.toString(16).padStart(40, '0') as Identifier
const range = (lo: number, hi: number, epoch: number): KnownRange => ({
  lo: at(lo),
  hi: at(hi),
  epoch,
  origins: [`http://n${lo}-${hi}:1`],
})

t.test('a key is found in its range, also over zero, and nowhere else', async t => {
  const table = new RangeTable()
  const [low, high] = [range(10, 20, 1), range(30, 5, 1)]
  table.learn(low)
  table.learn(high)
  for (const [key, found] of [
    [10, undefined],
    [11, low],
    [20, low],
    [21, undefined],
    [30, undefined],
    [31, high],
    [99, high],
    [0, high],
    [5, high],
    [6, undefined],
  ] as const) {
    t.equal(table.covering(at(key)), found, String(key))
  }
})

t.test('one range can be the whole ring', async t => {
  const table = new RangeTable()
  const all = range(7, 7, 1)
  table.learn(all)
  for (const key of [0, 7, 8, 99]) t.equal(table.covering(at(key)), all)
})

t.test('a later view takes the place of what it overlaps, an earlier one does not', async t => {
  const table = new RangeTable()
  table.learn(range(0, 50, 3))
  const [left, right] = [range(0, 20, 4), range(20, 50, 4)]
  table.learn(right)
  table.learn(left)
  table.learn(range(0, 50, 3))
  t.equal(table.covering(at(10)), left)
  t.equal(table.covering(at(30)), right)
  const again = range(20, 50, 4)
  table.learn(again)
  t.equal(table.covering(at(30)), again, 'the same view again: the address of a node may have changed')
  table.forget(left)
  t.equal(table.covering(at(10)), undefined)
  t.equal(table.size, 1)
})

t.test('whatever is learned: ranges do not overlap, are found, and stay within the limit', async () => {
  const position = fc.integer({ min: 0, max: 40 })
  const ranges = fc.array(fc.tuple(position, position, fc.integer({ min: 1, max: 5 })), { maxLength: 40 })
  fc.assert(
    fc.property(ranges, learned => {
      const max = 6
      const table = new RangeTable({ max })
      const known: KnownRange[] = []
      for (const [lo, hi, epoch] of learned) {
        const one = range(lo, hi, epoch)
        known.push(one)
        table.learn(one)
        if (table.size > max) return false
        for (let key = 0; key <= 41; key++) {
          const found = table.covering(at(key))
          if (found !== undefined && !arcContains(found, at(key))) return false
        }
        // The range of the latest reply is there, unless a newer view stood against it.
        const covering = table.covering(one.hi)
        if (covering !== one && !known.some(other => other.epoch > epoch)) return false
      }
      return true
    }),
  )
})

const lo = '0'.repeat(39).concat('1')
const hi = 'f'.repeat(40)
const loopback = new URL('http://127.0.0.1:5000')

t.test('a range with its replicas, under the scheme of the node that the user named', async t => {
  t.same(toldRange(`${lo} ${hi} 7 127.0.0.1:5001 files.example:443`, loopback), {
    lo,
    hi,
    epoch: 7,
    origins: ['http://127.0.0.1:5001', 'http://files.example:443'],
  })
  t.same(toldRange(`${lo} ${hi} 7 a.example:443 [2001:db8::1]:5000`, new URL('https://b.example'))?.origins, [
    'https://a.example',
    'https://[2001:db8::1]:5000',
  ])
})

t.test('loopback of a node elsewhere is not our own machine', async t => {
  const far = new URL('http://files.example:5000')
  for (const address of ['127.0.0.1:5001', 'localhost:5001', '[::1]:5001', 'a.localhost:1']) {
    t.equal(toldRange(`${lo} ${hi} 7 ${address}`, far), undefined, address)
    t.same(toldRange(`${lo} ${hi} 7 ${address}`, loopback)?.origins, [`http://${address}`], address)
    t.same(toldRange(`${lo} ${hi} 7 ${address} b.example:1`, far)?.origins, ['http://b.example:1'])
  }
})

t.test('what is malformed teaches nothing', async t => {
  const many = Array.from({ length: 16 }, (_, i) => `n${i}:1`).join(' ')
  for (const field of [
    '',
    'x',
    `${lo} ${hi}`,
    `${lo} ${hi} 7`,
    `${lo} ${hi} -7 a:1`,
    `${lo} ${hi} 7.5 a:1`,
    `${lo} ${hi} 9999999999999999 a:1`,
    `${lo} ${hi.slice(1)} 7 a:1`,
    `${lo} ${hi.toUpperCase()} 7 a:1`,
    `${lo} ${hi} 7 a`,
    `${lo} ${hi} 7 5000`,
    `${lo} ${hi} 7 a:1/path`,
    `${lo} ${hi} 7 user@a:1`,
    `${lo} ${hi} 7 ${many}`,
  ]) {
    t.equal(toldRange(field, loopback), undefined, field)
  }
})
