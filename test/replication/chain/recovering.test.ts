import t from 'tap'
import { knowledgeOf } from '../../../src/operations/recovery.ts'
import { EPOCHS_SKIPPED, type LostRange, lostRanges, recoveredView } from '../../../src/views/recovery.ts'
import { asSource, type View } from '../../../src/views/view.ts'
import { Bench, node, wholeView } from './bench.ts'

const before = wholeView(['n1', 'n2', 'n3'])
const basis = { epoch: before.epoch, id: before.id }
const alone = (name: string, epoch = 1 + EPOCHS_SKIPPED): View => ({
  ...wholeView([name], [name], `${epoch}-forced`, epoch),
  sources: [asSource(before)],
})

t.test('the survivor goes on alone from what it has', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], settings: { minReplicas: 1 } })
  bench.put('n1', 'w1', 'a')
  bench.lose = () => true
  bench.event('n3', { kind: 'recover', view: alone('n3'), basis })
  t.equal(bench.get('n3', 'r', 'a'), 'w1')
  t.match(bench.put('n3', 'w2', 'b'), { kind: 'done', version: { epoch: 1 + EPOCHS_SKIPPED } })
  bench.restart('n3')
  t.equal(bench.get('n3', 'r2', 'b'), 'w2', 'also after a restart')
})

t.test('whoever was given up finds its view superseded, and can decide nothing in it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], settings: { minReplicas: 1 } })
  bench.put('n1', 'w1', 'a')
  bench.lose = () => true
  bench.event('n3', { kind: 'recover', view: alone('n3'), basis })
  bench.put('n3', 'w2', 'a')
  bench.lose = () => false
  bench.run()
  bench.deliver('n3', 'n1', { kind: 'teach', views: [alone('n3')] })
  bench.deliver('n3', 'n2', { kind: 'teach', views: [alone('n3')] })
  for (const name of ['n1', 'n2']) {
    t.ok(bench.state(name).sealed)
    t.equal(bench.get(name, `r ${name}`, 'a'), 'w2', 'it asks the one that went on')
    bench.restart(name)
    t.ok(bench.state(name).sealed, 'which it remembers')
  }
})

t.test('nothing is forced on a range that has moved on, nor on somebody else', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.event('n1', { kind: 'renew', viewId: before.id })
  bench.run()
  const { id } = bench.viewAt('n3', 'a') as View
  bench.event('n3', { kind: 'recover', view: alone('n3'), basis })
  t.equal(bench.viewAt('n3', 'a')?.id, id)
  bench.event('n3', { kind: 'recover', view: alone('n2'), basis: { ...basis, epoch: 9 } })
  t.equal(bench.viewAt('n3', 'a')?.id, id)
  bench.event('n3', {
    kind: 'recover',
    view: { ...alone('n3'), replicas: [node('n3'), node('n2')] },
    basis: { ...basis, epoch: 9 },
  })
  t.equal(bench.viewAt('n3', 'a')?.id, id)
})

/** Each of two nodes is all that an operator on its side of a cut finds. */
function recoveredTwice(views: (lost: LostRange, name: string) => View): { bench: Bench; views: View[] } {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], settings: { minReplicas: 1 } })
  bench.put('n1', 'w0', 'common')
  bench.lose = () => true
  const forced = ['n1', 'n2'].map(name => {
    const [lost] = lostRanges(new Map([[node(name), knowledgeOf(bench.ports(name))]]))
    const view = views(lost as LostRange, name)
    bench.event(name, { kind: 'recover', view, basis: before })
    bench.put(name, `alone ${name}`, name)
    return view
  })
  bench.lose = () => false
  return { bench, views: forced }
}

/** Everybody has heard of both. */
function meet(bench: Bench, views: readonly View[]): void {
  for (let round = 0; round < 3; round++) {
    for (const from of ['n1', 'n2'])
      for (const to of ['n1', 'n2', 'n3']) if (to !== from) bench.deliver(from, to, { kind: 'teach', views })
    for (const name of ['n1', 'n2', 'n3']) {
      bench.event(name, { kind: 'members', members: bench.members('n1', 'n2', 'n3') })
      bench.event(name, { kind: 'verify' })
      bench.run()
    }
  }
}

/** The views in which a node would serve, as it believes itself. */
const serving = (bench: Bench) =>
  ['n1', 'n2', 'n3'].flatMap(name =>
    [...bench.machine(name).views.values()]
      .filter(state => state.installed && state.active && !state.sealed)
      .map(({ view }) => view.id),
  )

const kinds: [string, (lost: LostRange, name: string) => View][] = [
  ['as they are made', (lost, name) => recoveredView(lost, name)],
  [
    'of one epoch',
    (lost, name) => ({
      ...recoveredView(lost, name),
      epoch: lost.epoch + EPOCHS_SKIPPED,
      id: `of ${name}` as View['id'],
    }),
  ],
]

for (const [what, views] of kinds) {
  t.test(`of two recoveries of one range that meet, one wins: ${what}`, async t => {
    const { bench, views: forced } = recoveredTwice(views)
    t.equal(serving(bench).length, 3, 'n3 has not heard of any')
    meet(bench, forced)
    const left = new Set(serving(bench))
    t.equal(left.size, 1, `one view is left, not ${[...left].join(' and ')}`)
    t.same(new Set(['n1', 'n2', 'n3'].map(name => bench.viewAt(name, 'a')?.id)), left, 'everybody knows it')
    t.ok(
      bench.log.some(line => line.endsWith(' overruled')),
      'who gives files up says so',
    )
    const created = ['n1', 'n2'].map(name => bench.put(name, `create at ${name}`, 'f', 'absent')?.kind)
    t.same(created.sort(), ['done', 'failed'], 'one of two creates wins')
    const read = ['n1', 'n2', 'n3'].map((name, at) => bench.get(name, `r${at}`, 'f'))
    t.equal(new Set(read).size, 1, 'and everybody reads the same')
    t.equal(bench.get('n1', 'r', 'common'), 'w0', 'what was there before is still there')
  })
}

t.test('two recoveries of one range never write one version', async t => {
  const { bench } = recoveredTwice((lost, name) => ({
    ...recoveredView(lost, name),
    epoch: 1 + EPOCHS_SKIPPED,
  }))
  const versions = ['n1', 'n2'].flatMap(name => {
    const outcomes = ['a', 'b', 'c'].map(at => bench.put(name, `${at} at ${name}`, at))
    return outcomes.map(outcome => (outcome?.kind === 'done' ? JSON.stringify(outcome.version) : 'none'))
  })
  t.equal(new Set(versions).size, 6, 'though their epochs are the same')
  const child = [...bench.machine('n1').views.values()].find(({ view }) => view.root !== undefined) as {
    view: View
  }
  bench.event('n1', { kind: 'renew', viewId: child.view.id })
  bench.run()
  const next = bench.put('n1', 'in a child', 'a')
  t.ok(
    next?.kind === 'done' && next.version.seq > (child.view.firstSeq as number),
    'a child goes on from there',
  )
})

t.test('a view of the losing side that is heard of later is sealed from the beginning', async t => {
  const { bench, views } = recoveredTwice((lost, name) => recoveredView(lost, name))
  const [older, newer] = [...views].sort((a, b) => a.epoch - b.epoch) as [View, View]
  bench.deliver('n1', 'n3', { kind: 'teach', views: [newer] })
  const late = { ...older, epoch: older.epoch + 1, id: `${older.epoch + 1}-late` as View['id'] }
  const child = { ...late, replicas: [node('n3')], acceptors: [node('n3')] }
  bench.deliver('n1', 'n3', { kind: 'teach', views: [child] })
  t.equal(bench.machine('n3').views.get(child.id)?.sealed, true)
})
