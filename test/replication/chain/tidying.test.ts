import t from 'tap'
import type { Write } from '../../../src/replication/chain/machine-state.ts'
import { Tidying } from '../../../src/replication/chain/tidying.ts'
import { manualEnv } from '../../manual-env.ts'
import { path } from './bench.ts'

function tidying() {
  const env = manualEnv()
  const done: string[] = []
  const state = { transient: false }
  const init = { tidy: (what: string) => done.push(what), hasTransient: () => state.transient }
  return { env, done, state, tidying: new Tidying(env, init) }
}

t.test('bodies are looked at as long as some wait for their end', async t => {
  const { env, done, state, tidying: one } = tidying()
  one.notice([])
  t.equal(env.waiting, 0, 'nothing ticks')
  state.transient = true
  one.notice([])
  await env.advance(130_000)
  t.same(done, ['expire', 'expire'])
  state.transient = false
  await env.advance(130_000)
  t.equal(env.waiting, 0)
})

t.test('tombstones are collected after many removals, unless it was cancelled', async t => {
  const removal = { kind: 'record', path: path('a'), record: { body: undefined } } as unknown as Write
  const many = Array.from({ length: 1_000 }, () => removal)
  const { env, done, tidying: one } = tidying()
  one.notice(many.slice(1))
  t.equal(env.waiting, 0)
  one.notice([removal])
  await env.advance(1_000)
  t.same(done, ['collect'])
  one.notice(many)
  one.cancel()
  await env.advance(10_000)
  t.same(done, ['collect'])
})
