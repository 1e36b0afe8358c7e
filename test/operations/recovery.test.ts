import t from 'tap'
import type { PeerAnswer, PeerCall } from '../../src/calls/calls.ts'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { carryOut, knowledgeOf, planRecovery } from '../../src/operations/recovery.ts'
import type { NodeId } from '../../src/ring/identifier.ts'
import { Bench, node, wholeView } from '../replication/chain/bench.ts'

/** Three nodes that keep everything; those that are silent do not answer. */
function network(silent: string[]) {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const calls: string[] = []
  const told: object[] = []
  const members = () => ['n1', 'n2', 'n3'].map(node)
  const ask = async (to: NodeId, call: PeerCall): Promise<PeerAnswer> => {
    calls.push(`${to} ${call.kind}`)
    if (silent.includes(to)) throw new StoreError('UNAVAILABLE', 'Silent.')
    if (call.kind === 'holdings') return knowledgeOf(bench.ports(to))
    if (call.kind === 'recovered') told.push(call.recovery)
    return {}
  }
  return { bench, calls, told, components: { env: realEnv(), members, ask } }
}

t.test('a majority that answers leaves nothing to force', async t => {
  const { components } = network(['n1'])
  const { lost, silent } = await planRecovery(components)
  t.same([lost, silent], [[], ['n1']])
})

t.test('who was only slow is asked again', async t => {
  const { components, calls } = network(['n1', 'n2'])
  await planRecovery(components)
  t.equal(calls.filter(call => call === 'n1 holdings').length, 3)
  t.equal(calls.filter(call => call === 'n3 holdings').length, 1)
})

t.test('a node that is too old to be asked is there, and nothing is forced past it', async t => {
  const { components, calls } = network(['n1', 'n2'])
  const outdated = new StoreError('PROTOCOL_UNSUPPORTED', 'It has to be upgraded.')
  const ask: typeof components.ask = (to, call) =>
    to === 'n2' ? Promise.reject(outdated) : components.ask(to, call)
  await t.rejects(planRecovery({ ...components, ask }), outdated)
  t.notOk(calls.some(call => call.endsWith(' recover')))
})

t.test('only the plan that was shown is carried out, and all who answer are told', async t => {
  const { bench, components, calls, told } = network(['n1', 'n2'])
  bench.put('n1', 'w', 'a')
  const plan = await planRecovery(components)
  t.match(plan.lost, [
    { epoch: 1, silent: ['n1', 'n2'], survivor: { node: 'n3', records: 1, isNewest: true } },
  ])
  await t.rejects(carryOut(components, 'another plan'), { code: 'PRECONDITION_FAILED' })
  t.notOk(calls.includes('n3 recover'))
  const [view] = await carryOut(components, plan.id)
  t.match(view, { replicas: ['n3'], acceptors: ['n3'], sources: [{ id: wholeView([]).id }] })
  t.ok(calls.includes('n3 recover'))
  t.match(told, [{ view: { id: view?.id }, lost: ['n1', 'n2'] }])
})
