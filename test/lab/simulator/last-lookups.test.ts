import t from 'tap'
import { lookupsGoneWrong } from '../../../src/lab/simulator/last-lookups.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'

const POSITION = 'a'.repeat(40) as Identifier

function judge(lookup: () => Promise<unknown>) {
  const nodes = [{ name: 'n1', whole: { ring: { lookup: lookup as never } } }]
  const serving = () => new Set(['v1' as never])
  return lookupsGoneWrong(
    { clock: new VirtualClock(), nodes },
    { positions: [POSITION], serving, timeoutMs: 200 },
  )
}

const found = (id: string, last: string) => async () => ({
  view: { id, replicas: ['n1.0', 'n2.0'] },
  chain: [{ nodeId: 'n3.0' }, { nodeId: last }],
})

t.test('a lookup has to end at a replica of the view that serves', async t => {
  t.equal(await judge(found('v1', 'n2.0')), undefined)
  t.match(await judge(found('v0', 'n2.0')), /n1 finds v0/)
  t.match(await judge(found('v1', 'n3.0')), /n1 finds n3.0/)
  t.match(await judge(() => Promise.reject(new Error('lost'))), /no way .* lost/)
  t.equal(await judge(() => new Promise(() => undefined)), 'A lookup does not end')
})
