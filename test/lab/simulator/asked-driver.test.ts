import t from 'tap'
import { parsePathName } from '../../../src/ring/path-name.ts'
import { chainBench } from './chain-bench.ts'

t.test('what the driver is asked and answers is heard', async t => {
  const { clock, cluster, workload } = await chainBench()
  const path = parsePathName('p1')
  workload.order(cluster.node('n1'), { client: 'x', kind: 'put', path })
  await clock.runSettled(clock.monotonicMs() + 100)
  workload.order(cluster.node('n2'), { client: 'x', kind: 'get', path })
  await clock.runSettled(clock.monotonicMs() + 100)
  // The reader names the writer, whom only what was heard of the driver has told it.
  const [put, get] = workload.operations()
  t.match(put, { answer: { kind: 'ok' } })
  const value = put?.action.kind === 'put' ? put.action.value : 'none'
  t.match(get, { answer: { kind: 'ok', value } })
})
