import t from 'tap'
import { DEFAULT_LIMITS, LIMITS, type LimitBounds } from '../src/config.ts'

t.test('every default lies within its bounds', async t => {
  for (const [name, bounds] of Object.entries(LIMITS) as [keyof typeof LIMITS, LimitBounds][]) {
    t.equal(DEFAULT_LIMITS[name], bounds.default)
    t.ok(bounds.min <= bounds.default && bounds.default <= bounds.max, name)
    t.ok(Number.isSafeInteger(bounds.max), `${name} can be counted exactly`)
  }
})

t.test('the name of a limit ends with its unit', async t => {
  for (const [name, { unit }] of Object.entries(LIMITS)) {
    t.match(name, unit === 'bytes' ? /BytesMax$/ : unit === 'ms' ? /TimeoutMs$/ : /Max$/)
  }
})
