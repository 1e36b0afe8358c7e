import fc from 'fast-check'
import t from 'tap'
import { counted, formatQuantity, parseQuantity, type Unit } from '../src/quantity.ts'

t.test('sizes, times and counts as people write them', async t => {
  const rows: [string, Unit, number | undefined][] = [
    ['0', 'bytes', 0],
    ['512', 'bytes', 512],
    ['512 B', 'bytes', 512],
    ['1k', 'bytes', 1024],
    ['1.5 KiB', 'bytes', 1536],
    ['10MB', 'bytes', 10_000_000],
    ['10 MiB', 'bytes', 10_485_760],
    ['2G', 'bytes', 2_147_483_648],
    ['1TiB', 'bytes', 2 ** 40],
    ['10s', 'ms', 10_000],
    ['250 ms', 'ms', 250],
    ['2m', 'ms', 120_000],
    ['1.5 min', 'ms', 90_000],
    ['1h', 'ms', 3_600_000],
    ['256', 'count', 256],
    ['10', 'ms', undefined],
    ['1.5', 'count', undefined],
    ['5k', 'count', undefined],
    ['', 'bytes', undefined],
    ['-1', 'bytes', undefined],
    ['1e9', 'bytes', undefined],
    ['10 parsecs', 'bytes', undefined],
    ['1 constructor', 'bytes', undefined],
    ['١', 'bytes', undefined],
  ]
  for (const [text, unit, value] of rows) t.equal(parseQuantity(text, unit), value, `${text} (${unit})`)
})

t.test('one thing, or several', async t => {
  t.same(
    [0, 1, 2].map(count => counted(count, 'file')),
    ['0 files', '1 file', '2 files'],
  )
  t.same(
    [1, 3].map(count => counted(count, 'copy', 'copies')),
    ['1 copy', '3 copies'],
  )
})

t.test('shown in the largest unit that fits', async t => {
  const rows: [number, Unit, string][] = [
    [0, 'bytes', '0 B'],
    [1023, 'bytes', '1,023 B'],
    [1024, 'bytes', '1 KiB'],
    [1_572_864, 'bytes', '1.5 MiB'],
    [2 ** 40, 'bytes', '1 TiB'],
    [100, 'ms', '100 ms'],
    [10_000, 'ms', '10 s'],
    [90_000, 'ms', '1.5 min'],
    [3_600_000, 'ms', '1 h'],
    [10_000, 'count', '10,000'],
  ]
  for (const [value, unit, text] of rows) t.equal(formatQuantity(value, unit), text)
})

t.test('what is shown can be read back, to the decimal that is shown', async t => {
  const law = fc.property(
    fc.integer({ min: 0, max: 2 ** 49 }),
    fc.constantFrom<Unit>('bytes', 'ms'),
    (value, unit) => {
      const back = parseQuantity(formatQuantity(value, unit).replaceAll(',', ''), unit)
      return back !== undefined && Math.abs(back - value) <= Math.max(0.06 * value, 0.5)
    },
  )
  t.doesNotThrow(() => fc.assert(law))
})
