import t from 'tap'
import { errorCode } from '../../../src/errors.ts'
import {
  failMsFor,
  failMsNeeded,
  GOSSIP_DEFAULTS,
  GOSSIP_FIELDS,
  parseGossipSettings,
} from '../../../src/membership/gossip/settings.ts'
import { formatQuantity } from '../../../src/quantity.ts'

t.test('what a file does not say has its default', async t => {
  for (const text of ['', '# nothing\n', '---\n', '{}'])
    t.same(parseGossipSettings(text, 'gossip.yaml'), GOSSIP_DEFAULTS)
  t.same(parseGossipSettings('period: 500ms\nfan-out: 3\nt-fail: 1m\nttl: 2h\n', 'gossip.yaml'), {
    periodMs: 500,
    fanOut: 3,
    failMs: 60_000,
    ttlMs: 7_200_000,
  })
})

t.test('bounds are included, and what is beyond them is refused with the name of the field', async t => {
  for (const [field, { name, unit, min, max }] of Object.entries(GOSSIP_FIELDS)) {
    const written = (value: number) => (unit === 'ms' ? `${value}ms` : String(value))
    for (const value of [min, max])
      t.equal(parseGossipSettings(`${field}: ${written(value)}`, 'f')[name], value)
    for (const value of [min - 1, max + 1])
      t.throws(() => parseGossipSettings(`${field}: ${written(value)}`, 'gossip.yaml'), {
        code: 'INVALID_REQUEST',
        message: `${field} in gossip.yaml is "${written(value)}", and can be ${formatQuantity(min, unit)} to ${formatQuantity(max, unit)}`,
      })
  }
})

t.test('what is no setting is refused', async t => {
  const cases: [string, RegExp][] = [
    ['perod: 1s', /field "perod"; there are period, fan-out, t-fail, ttl/],
    ['period: 10', /period in gossip\.yaml is "10", .* as in 10s/],
    ['period: [1s]', /period in gossip\.yaml is "\["1s"\]"/],
    ['fan-out: 1.5', /fan-out in gossip\.yaml is "1\.5"/],
    ['fan-out: true', /fan-out in gossip\.yaml is "true"/],
    ['t-fail: -1s', /t-fail/],
    ['- period', /has no fields/],
    ['just words', /has no fields/],
    ['a: &x 1\nb: *x', /is not YAML/],
    ['a: [', /is not YAML/],
    [`# ${'x'.repeat(20_000)}`, /more than 16 KiB/],
  ]
  for (const [text, message] of cases) {
    try {
      parseGossipSettings(text, 'gossip.yaml')
      t.fail(text)
    } catch (error) {
      t.equal(errorCode(error), 'INVALID_REQUEST', text)
      t.match((error as Error).message, message)
    }
  }
})

t.test(
  'T_fail grows with the logarithm of the network, and never falls below what was asked for',
  async t => {
    t.equal(failMsNeeded({ periodMs: 1_000 }, 2), 6_000)
    t.equal(failMsNeeded({ periodMs: 1_000 }, 1_024), 24_000)
    t.equal(failMsNeeded({ periodMs: 100 }, 1), 600)
    t.equal(failMsFor(GOSSIP_DEFAULTS, 5), GOSSIP_DEFAULTS.failMs)
    t.equal(failMsFor(GOSSIP_DEFAULTS, 1_024), 24_000)
  },
)
