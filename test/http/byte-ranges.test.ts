import fc from 'fast-check'
import t from 'tap'
import { contentRange, parseRanges, planMultipart, RANGES_MAX } from '../../src/http/byte-ranges.ts'
import type { PathName } from '../../src/ring/path-name.ts'

const path = 'a' as PathName
const of = (header: string, size = 10) =>
  parseRanges(header, size, path)?.map(({ first, last }) => [first, last])

t.test('ranges are what RFC 9110 says', async t => {
  const cases: [string, number[][]][] = [
    ['bytes=0-0', [[0, 0]]],
    [
      'bytes=,0-1, ,3-4,',
      [
        [0, 1],
        [3, 4],
      ],
    ],
    ['bytes=2-5', [[2, 5]]],
    ['bytes=2-', [[2, 9]]],
    ['bytes=2-100', [[2, 9]]],
    ['bytes=-3', [[7, 9]]],
    ['bytes=-100', [[0, 9]]],
    [
      'BYTES= 0-1 , 5-6',
      [
        [0, 1],
        [5, 6],
      ],
    ],
    [
      'bytes=5-6,0-1',
      [
        [5, 6],
        [0, 1],
      ],
    ],
    ['bytes=0-1,99-100', [[0, 1]]],
    ['bytes=0-4,3-7', [[0, 7]]],
    ['bytes=0-1,2-3', [[0, 3]]],
    ['bytes=0-1,8-9,1-8', [[0, 9]]],
    [
      'bytes=-1,0-0,-1',
      [
        [9, 9],
        [0, 0],
      ],
    ],
    ['bytes=0-99999999999999999999', [[0, 9]]],
  ]
  for (const [header, expected] of cases) t.same(of(header), expected, header)
})

t.test('a unit that nobody knows is ignored', async t => {
  t.equal(of('lines=0-1'), undefined)
  t.equal(of(''), undefined)
})

t.test('what is no range is refused', async t => {
  const headers = [
    'bytes=',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=10-',
    'bytes=-0',
    'bytes=-',
    'bytes=0-1;2-3',
    'bytes=0x0-1',
    'bytes=--1',
    'bytes=1-2-3',
    `bytes=${Array.from({ length: RANGES_MAX + 1 }, (_, i) => `${i * 2}-${i * 2}`)}`,
  ]
  for (const header of headers)
    t.throws(() => of(header), { code: 'RANGE_NOT_SATISFIABLE' }, header.slice(0, 40))
  for (const header of ['bytes=-5', 'bytes=0-', 'bytes=0-,-5'])
    t.equal(of(header, 0), undefined, 'a range of an empty file is ignored')
  t.throws(() => of('bytes=x', 0), { code: 'RANGE_NOT_SATISFIABLE' })
})

t.test('law: joined ranges hold the same bytes as the requested ones, each once', async _t => {
  const range = fc.tuple(fc.nat(30), fc.nat(8)).map(([first, more]) => [first, first + more] as const)
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 10 }), ranges => {
      const size = 25
      const wanted = new Set(ranges.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i)))
      const inside = [...wanted].filter(byte => byte < size).sort((a, b) => a - b)
      const header = `bytes=${ranges.map(([a, b]) => `${a}-${b}`).join(', ')}`
      let got: number[] = []
      try {
        got = (of(header, size) ?? []).flatMap(([a = 0, b = 0]) =>
          Array.from({ length: b - a + 1 }, (_, i) => a + i),
        )
      } catch {
        return inside.length === 0
      }
      return JSON.stringify(got.sort((a, b) => a - b)) === JSON.stringify(inside)
    }),
  )
})

t.test('a multipart plan knows its length', async t => {
  const ranges = [
    { first: 0, last: 1 },
    { first: 5, last: 9 },
  ]
  const plan = planMultipart(ranges, 10, 'text/plain', 'B')
  const text = `${plan.heads[0]}ab${plan.heads[1]}fghij${plan.tail}`
  t.equal(text.length, plan.contentLength)
  t.match(text, /^\r\n--B\r\nContent-Type: text\/plain\r\nContent-Range: bytes 0-1\/10\r\n\r\nab\r\n--B\r\n/)
  t.ok(text.endsWith('fghij\r\n--B--\r\n'))
  t.equal(contentRange({ first: 5, last: 9 }, 10), 'bytes 5-9/10')
})
