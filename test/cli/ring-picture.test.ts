import t from 'tap'
import { drawRing, lettersOf } from '../../src/cli/ring-picture.ts'
import type { OverlayRange } from '../../src/client/client.ts'

const range = (lo: string, hi: string, head: string | null): OverlayRange => ({
  lo: lo.padEnd(40, '0'),
  hi: hi.padEnd(40, '0'),
  share: 0,
  head,
  replicas: [],
  witnesses: [],
  epoch: 1,
  state: 'serving',
})

t.test('each quarter is where it belongs, clockwise from the top', async t => {
  const ranges = [
    range('f', '4', 'a:1'),
    range('4', '8', 'b:1'),
    range('8', 'c', 'a:1'),
    range('c', 'f', null),
  ]
  const lines = drawRing(ranges, lettersOf(['a:1', 'b:1']))
  t.equal(lines.length, 15)
  const at = (row: number, column: number) => lines[row]?.[column]
  t.equal(at(1, 26), 'A', 'top right: up to 4')
  t.equal(at(13, 26), 'B', 'bottom right: 4 to 8')
  t.equal(at(13, 6), 'A', 'bottom left: 8 to c')
  t.equal(at(1, 9), '?', 'top left: nobody')
  t.equal(at(0, 15), 'A', 'the range across 0 begins before the top')
  t.match(lines[6], '2 nodes')
  t.match(lines[7], '4 ranges')
  const share = (letter: string) => lines.join('').split(letter).length - 1
  t.ok(share('A') > share('B') && share('B') > share('?') / 2, 'who has more is larger')
})

t.test('one node has all of it, and beyond the letters there is a sign', async t => {
  const lines = drawRing([range('5', '5', 'a:1')], lettersOf(['a:1']))
  t.same(new Set(lines.join('').replace(/1 node|1 range|\s/g, '')), new Set('A'))
  const many = lettersOf(Array.from({ length: 100 }, (_, i) => `n:${i}`))
  t.equal(many.get('n:0'), 'A')
  t.equal(many.get('n:61'), '9')
  t.equal(many.get('n:62'), '+')
})
