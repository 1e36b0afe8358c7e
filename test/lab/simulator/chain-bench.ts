/** A small cluster for the tests of the chain simulator's parts: all of it, but no trouble and no clients. */
import { ChainCluster } from '../../../src/lab/simulator/chain-cluster.ts'
import { ChainInvariants } from '../../../src/lab/simulator/chain-invariants.ts'
import { ChainNemesis } from '../../../src/lab/simulator/chain-nemesis.ts'
import { ChainWorkload, TRASH_MS } from '../../../src/lab/simulator/chain-workload.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { SIMULATED_SETTINGS } from '../../../src/lab/simulator/simulated-settings.ts'
import { Transcript } from '../../../src/lab/simulator/transcript.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

export async function chainBench(
  init: {
    nodes?: number
    founders?: number
    zones?: number
    untilMs?: number
    whole?: boolean
    trash?: boolean
    transcript?: (clock: VirtualClock) => Transcript
  } = {},
) {
  const nodes = init.nodes ?? 3
  const clock = new VirtualClock({ hasStreams: init.whole === true })
  const random = new SeededRandom(1)
  const transcript = init.transcript?.(clock) ?? new Transcript({ clock }, {})
  const invariants: ChainInvariants = new ChainInvariants({ cluster: () => cluster })
  const cluster: ChainCluster = new ChainCluster(
    {
      clock,
      random,
      transcript,
      stepped: (node, event, writes) => {
        if (event.kind === 'start') invariants.started(node)
        invariants.stepped(node, writes)
        workload.stepped(writes)
      },
      durable: (node, writes) => invariants.durable(node, writes),
      asked: (node, request) => workload.asked(node, request),
      answered: (request, outcome) => {
        if (outcome.kind === 'done' && 'path' in request)
          invariants.acknowledged(request.path, outcome.version)
      },
      readAtOnce: (path, record) => invariants.answers.readAtOnce(path, record),
      sent: envelope => invariants.sent(envelope),
      wentDown: node => workload.lost(node),
    },
    {
      nodes,
      founders: init.founders ?? nodes,
      zones: init.zones ?? 0,
      settings: { ...SIMULATED_SETTINGS, trashMs: init.trash === true ? TRASH_MS : 0 },
      whole: init.whole === true,
    },
  )
  const workload: ChainWorkload = new ChainWorkload(
    {
      clock,
      random,
      transcript,
      cluster,
    },
    {
      ...{ clients: 2, paths: 3, large: 0.3, untilMs: init.untilMs ?? 300, outcomesKeptMs: 2_500 },
      ...{ whole: init.whole === true, trash: init.trash === true },
    },
  )
  const nemesis = new ChainNemesis({
    clock,
    random,
    transcript,
    cluster,
    invariants,
    ask: (node, order) => workload.order(node, order),
  })
  cluster.found()
  await clock.runSettled(100)
  return { clock, cluster, invariants, workload, nemesis }
}
