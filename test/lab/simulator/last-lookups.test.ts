import t from 'tap'
import { lookupsGoneWrong } from '../../../src/lab/simulator/last-lookups.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'

const POSITION = 'a'.repeat(40) as Identifier

const always = () => new Set(['v1' as never])

function judge(lookup: () => Promise<unknown>, groupOf?: string, serving: () => ReadonlySet<never> = always) {
  const ringOf = (nodeId: string) => ({
    lookup: lookup as never,
    members: { self: { nodeId }, routing: { answersFor: () => nodeId === groupOf } } as never,
  })
  const nodes = ['n1', 'n3'].map(name => ({ name, whole: { ring: ringOf(`${name}.0`) } }))
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
  t.equal(await judge(found('v1', 'n3.0'), 'n3.0'), undefined, 'or at a node of its group')
  t.match(await judge(found('v0', 'n3.0'), 'n3.0'), /n1 finds v0/)
  t.match(await judge(() => Promise.reject(new Error('lost'))), /no way .* lost/)
  t.equal(await judge(() => new Promise(() => undefined)), 'A lookup does not end')
})

t.test('a view that is sealed while a lookup is on its way was the right one', async t => {
  const views = [new Set(['v1' as never]), new Set<never>()]
  const serving = () => views.shift() ?? new Set<never>()
  t.equal(await judge(found('v1', 'n2.0'), undefined, serving), undefined)
  t.match(await judge(found('v1', 'n2.0'), undefined, () => new Set<never>()), /n1 finds v1/)
})
