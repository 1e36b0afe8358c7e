import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import type { ChainDriver } from '../../src/replication/chain/driver.ts'
import { RefusedBodies } from '../../src/ring-node/refused-bodies.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'

const failure = new StoreError('UNAVAILABLE', 'x', { cause: Object.assign(new Error(), { code: 'EIO' }) })

function under(nodes: readonly string[]) {
  const logged: object[] = []
  const told: unknown[][] = []
  let nowMs = 0
  const real = realEnv({ debug() {}, info() {}, warn() {}, error: fields => logged.push(fields) })
  const env = { ...real, clock: { ...real.clock, monotonicMs: () => nowMs } }
  const driver = {
    fault: undefined,
    known: { isAlive: (node: string) => node !== 'dead' },
    bodyRefused: (...what: unknown[]) => told.push(what),
  } as unknown as ChainDriver
  const others = nodes.map(nodeId => ({ nodeId }) as MapRecord)
  const refused = new RefusedBodies({ env, driver }, () => others)
  return { refused, logged, told, at: (ms: number) => (nowMs = ms) }
}

t.test('beside others a node stops serving, as the driver decides', async t => {
  const { refused, told, logged } = under(['a', 'b', 'dead'])
  refused.note(failure)
  refused.note(failure, true)
  t.same(told, [
    [failure, 0],
    [failure, 2],
  ])
  t.same([refused.diskRefuses, logged], [false, []], 'the driver says what it has decided')
})

t.test('a node that is alone goes on, and says once in a while that its disk refuses', async t => {
  const { refused, told, logged, at } = under([])
  refused.note(new StoreError('UNAVAILABLE', 'The sender of a body stands still.'))
  t.equal(refused.diskRefuses, false)
  refused.note(failure)
  refused.note(failure)
  t.match(logged, [{ op: 'persist', err: failure }])
  t.equal(refused.diskRefuses, true)
  at(89_999)
  t.equal(refused.diskRefuses, true)
  at(90_000)
  t.equal(refused.diskRefuses, false)
  t.same([told, logged.length], [[], 1])
})
