import t from 'tap'
import type { Identifier } from '../../src/ring/identifier.ts'
import {
  afterNotInstalled,
  afterSilence,
  SEARCH_START,
  serves,
  sourceOf,
  takesPasses,
} from '../../src/views/install.ts'
import { freshState, type NodeId, type Source, type View, type ViewId } from '../../src/views/view.ts'

const ZERO = '0'.repeat(40) as Identifier
const source = (id: string, ...replicas: string[]): Source => ({
  id: id as ViewId,
  epoch: 1,
  lo: ZERO,
  hi: ZERO,
  replicas: replicas as NodeId[],
})
const acceptors = ['x'] as NodeId[]
const view: View = { ...source('v3', 'x'), acceptors, sources: [source('v2', 'a', 'b'), source('v1', 'c')] }

t.test('silence leads to another replica, a view that was never installed to the one before it', async t => {
  t.match(sourceOf(view, SEARCH_START), { source: { id: 'v2' }, replica: 'a' })
  const second = afterSilence(view, SEARCH_START)
  t.match(sourceOf(view, second), { source: { id: 'v2' }, replica: 'b' })
  t.same(afterSilence(view, second), SEARCH_START)
  const further = afterNotInstalled(view, second)
  t.match(further && sourceOf(view, further), { source: { id: 'v1' }, replica: 'c' })
  t.equal(further && afterNotInstalled(view, further), undefined)
  t.throws(() => sourceOf(view, { source: 2, replica: 0 }), TypeError)
})

t.test('what has to hold to serve, and to take passes', async t => {
  const state = { ...freshState(view), installed: true, active: true }
  t.ok(serves(state))
  for (const lacking of [{ installed: false }, { active: false }, { sealed: true }]) {
    t.notOk(serves({ ...state, ...lacking }), JSON.stringify(lacking))
  }
  t.ok(takesPasses({ ...state, active: false }))
  t.notOk(takesPasses({ ...state, sealed: true }))
  t.notOk(takesPasses({ ...state, installed: false }))
})
