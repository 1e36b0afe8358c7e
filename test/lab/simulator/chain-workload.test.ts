import t from 'tap'
import type { Answer } from '../../../src/lab/simulator/history.ts'
import { checkHistory } from '../../../src/lab/simulator/linearizability.ts'
import { chainBench } from './chain-bench.ts'

t.test('clients ask and are told, and without trouble they are told everything', async t => {
  const { clock, workload } = await chainBench({ untilMs: 2_000 })
  workload.run()
  await clock.runSettled(4_000)
  t.notOk(workload.busy)
  t.ok(workload.answers.total > 50)
  t.equal(workload.answers.unknown, 0)
  const operations = workload.operations()
  const kinds = new Set(operations.map(({ action }) => action.kind))
  t.same([...kinds].sort(), ['create', 'exists', 'get', 'put', 'remove', 'replace'])
  t.ok(operations.some(({ action, answer }) => action.kind === 'get' && answer.kind === 'ok'))
  t.same(checkHistory(operations), { ok: true })
})

t.test(
  'clients list the trash, restore from it and empty it, and what comes back has the bytes that it had',
  async t => {
    for (const whole of [false, true]) {
      const { clock, workload } = await chainBench({ untilMs: 9_000, trash: true, whole })
      workload.run()
      await clock.runSettled(12_000)
      t.notOk(workload.busy)
      const done = workload.operations().filter(({ answer }) => answer.kind === 'ok')
      const kinds = new Set(done.map(({ action }) => action.kind))
      for (const kind of ['trash', 'trashed', 'forget'] as const) t.ok(kinds.has(kind), kind)
      const restored = done.flatMap(({ action }) =>
        'restores' in action && action.restores !== undefined ? [action.value] : [],
      )
      t.ok(
        done.some(({ action, answer }) => action.kind === 'get' && restored.includes(`${answerOf(answer)}`)),
        'somebody has read what came back',
      )
      t.same(checkHistory(workload.operations()), { ok: true })
    }
  },
)

function answerOf(answer: Answer): string | undefined {
  return answer.kind === 'ok' ? answer.value : undefined
}

t.test('clients of a node that goes down do not know what became of their request', async t => {
  const { cluster, workload } = await chainBench()
  const [path] = workload.paths
  workload.ask('c1', cluster.node('n1'), { kind: 'get', path: path as never })
  workload.ask('c2', cluster.node('n2'), { kind: 'remove', condition: 'exists', path: path as never })
  cluster.crash(cluster.node('n1'))
  cluster.crash(cluster.node('n2'))
  t.same(
    workload.operations().map(({ answer }) => answer.kind),
    ['refused', 'unknown'],
  )
})

t.test('a request is not repeated when its key may not count any more', async t => {
  const { clock, cluster, workload } = await chainBench()
  const [path] = workload.paths
  const key = { key: 'k', fingerprint: 'same', expiresAtMs: Number.MAX_SAFE_INTEGER }
  const remove = { kind: 'remove', condition: 'exists', path: path as never, key } as const
  const firstOf = (node: 'n1' | 'n2') => {
    workload.ask('c1', cluster.node(node), remove)
    return workload.operations().length - 1
  }
  const early = firstOf('n1')
  cluster.crash(cluster.node('n1'))
  t.equal(workload.operations()[early]?.answer.kind, 'unknown')
  t.ok(workload.busy, 'another node is asked the same')
  await clock.runSettled(clock.monotonicMs() + 1_000)
  t.notOk(workload.busy)
  cluster.pause(cluster.node('n2'))
  const late = firstOf('n2')
  await clock.runSettled(clock.monotonicMs() + 1_400)
  cluster.crash(cluster.node('n2'))
  t.equal(workload.operations()[late]?.answer.kind, 'unknown')
  t.notOk(workload.busy, 'the client gives up')
})
