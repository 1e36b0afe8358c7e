import t from 'tap'
import { Bench, inline, path, wholeView } from './bench.ts'

t.test('of one version the bytes are replaced, and what else is remembered stays', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  const good = bench.machine('n1').records.get(path('a'))
  if (good?.body === undefined) throw new TypeError('It was just put.')
  const bytes = { ...good.body, content: { inline: Buffer.from('G') } }
  bench.event('n2', { kind: 'mend', record: { ...good, body: bytes, history: [] } })
  const mended = bench.machine('n2').records.get(path('a'))
  t.same(mended?.body?.content, { inline: Buffer.from('G') })
  t.same(mended?.history, good.history)
  bench.event('n2', { kind: 'mend', record: { ...good, body: inline('other bytes') } })
  t.equal(
    bench.machine('n2').records.get(path('a'))?.body?.sha256,
    'w',
    'other bytes are not of this version',
  )
})

t.test('what a replica has lost it takes again, what is older or not its own it does not', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: wholeView(['n1', 'n2', 'n3']) })
  bench.put('n1', 'w1', 'a')
  const old = bench.machine('n1').records.get(path('a'))
  bench.put('n1', 'w2', 'a')
  const now = bench.machine('n1').records.get(path('a'))
  if (old === undefined || now === undefined) throw new TypeError('They were just put.')
  bench.machine('n3').records.delete(path('a'))
  bench.event('n3', { kind: 'mend', record: now })
  t.equal(bench.get('n3', 'r1', 'a'), 'w2')
  bench.event('n3', { kind: 'mend', record: old })
  t.equal(bench.get('n3', 'r2', 'a'), 'w2')
  bench.event('n4', { kind: 'mend', record: now })
  t.equal(bench.machine('n4').records.get(path('a')), undefined, 'it has no part in the range')
  const future = { ...now, version: { epoch: 9, seq: 1 } }
  bench.event('n2', { kind: 'mend', record: future })
  t.same(bench.machine('n2').records.get(path('a'))?.version, now.version, 'no view here has written that')
})

t.test('a replica whose view is sealed takes nothing newer', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  const old = bench.machine('n3').records.get(path('a'))
  const state = bench.state('n3')
  bench.machine('n3').views.set(state.view.id, { ...state, sealed: true })
  bench.put('n1', 'w2', 'a')
  const now = bench.machine('n1').records.get(path('a'))
  if (old === undefined || now === undefined) throw new TypeError('They were just put.')
  bench.event('n3', { kind: 'mend', record: now })
  t.same(bench.machine('n3').records.get(path('a'))?.version, old.version)
})
