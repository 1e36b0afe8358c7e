import t from 'tap'
import {
  figuresOf,
  type LookupFigure,
  type LookupScenario,
  lookupsPerSeed,
  measureSeed,
} from '../../../src/lab/experiments/lookup-simulated.ts'

const base: LookupScenario = {
  nodes: 35,
  mode: 'path',
  virtualNodes: 1,
  replicas: 3,
  answering: 1,
  wholeMap: true,
  lifetimeSeconds: undefined,
  moments: [1, 3, 10],
}
const seeds = [1, 2]

async function measure(
  scenario: LookupScenario,
  ofSeeds: readonly number[],
  onLookups?: (count: number) => void,
): Promise<LookupFigure[]> {
  const bySeed: Awaited<ReturnType<typeof measureSeed>>[] = []
  for (const seed of ofSeeds) bySeed.push(await measureSeed(scenario, seed, onLookups))
  return figuresOf(scenario, bySeed)
}

const hopsOf = (figures: readonly LookupFigure[]) => figures.map(({ of }) => of.hops.mean)

t.test('35 nodes: what a message teaches brings lookups to one hop within ten lookups a node', async t => {
  const [first, third, tenth] = hopsOf(await measure(base, seeds)) as [number, number, number]
  t.ok(first <= 1.2, `${first} after one lookup a node`)
  t.ok(third <= 1.05, `${third} after three`)
  t.ok(tenth <= 0.98, `${tenth} after ten`)
})

t.test('35 nodes: the chain alone converges too, more slowly', async t => {
  const chain = hopsOf(await measure({ ...base, mode: 'chain', wholeMap: false }, seeds)) as [
    number,
    number,
    number,
  ]
  t.ok(chain[0] > chain[1] && chain[1] > chain[2], chain.join(' '))
  t.ok(chain[0] > 1.6 && chain[0] < 2.3)
  t.ok(chain[2] > 1.2 && chain[2] < 1.6)
})

t.test('100 nodes with lifetimes of 600 s: one hop, few stale entries and hardly a timeout', async t => {
  const scenario: LookupScenario = { ...base, nodes: 100, lifetimeSeconds: 600, moments: [30] }
  const [figure] = (await measure(scenario, [1])) as [LookupFigure]
  const { hops, stale, timeouts, lost, bytesPerMessage } = figure.of
  t.ok(hops.mean <= 1.1, `${hops.mean} hops`)
  t.ok(stale.mean <= 0.03, `${stale.mean} stale`)
  t.ok(timeouts.mean <= 0.03, `${timeouts.mean} timeouts`)
  t.equal(lost.mean, 0)
  t.ok(bytesPerMessage.mean < 1_200, `${bytesPerMessage.mean} bytes a message`)
})

t.test('once all is known, a message carries little more than its digest', async t => {
  const [figure] = (await measure({ ...base, nodes: 60, moments: [40] }, [1])) as [LookupFigure]
  t.ok(figure.of.bytesPerMessage.mean < 250, `${figure.of.bytesPerMessage.mean} bytes`)
  t.ok(figure.of.known.mean > 0.999)
})

t.test('figures count their seeds, and progress their lookups', async t => {
  let counted = 0
  const figures = await measure({ ...base, nodes: 500, moments: [1] }, [4, 5], count => {
    counted += count
  })
  t.equal(figures.length, 1)
  t.equal(figures[0]?.of.hops.count, 2)
  t.equal(counted, 2 * lookupsPerSeed({ ...base, nodes: 500, moments: [1] }))
})
