/**
 * The operator of a simulated network who recovers ranges by force: with whoever can be reached on one side of a cut,
 * as membership/recovery.ts does it over the wire.
 */
import { errorCode } from '../../errors.ts'
import type { AllNodes } from '../../operations/all-nodes.ts'
import { type Knowledge, lostRanges, recoveredView } from '../../views/recovery.ts'
import type { NodeId, View } from '../../views/view.ts'
import type { ChainCluster } from './chain-cluster.ts'
import type { ChainInvariants } from './chain-invariants.ts'
import type { ChainNode } from './chain-node.ts'
import type { NemesisAction } from './scenario.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { NodeName } from './simulated-network.ts'

/** The share of the seeds in which an operator uses force: what is lost then is not judged, which hides other losses. */
const FORCED_SHARE = 0.08

/** Ms for which the two sides do not see each other. */
const LASTS_MS = [20, 250] as const

/**
 * Perhaps a cut, on one side of which, or on both, an operator gives the other side up; both go on until it ends.
 * @param untilMs since the start of the run, when all trouble is over.
 */
export function drawForce(
  random: SeededRandom,
  names: readonly NodeName[],
  untilMs: number,
): NemesisAction | undefined {
  if (!random.chance(FORCED_SHARE)) return undefined
  const shuffled = random.shuffle([...names])
  const size = random.int(1, names.length - 1)
  return {
    atMs: random.between(untilMs / 5, untilMs - LASTS_MS[1]),
    kind: 'force',
    groups: [shuffled.slice(0, size), shuffled.slice(size)],
    by: [...random.pick([[0], [0, 1], [0, 1]])],
    lastsMs: random.between(LASTS_MS[0], LASTS_MS[1]),
  }
}

export interface OperatorComponents {
  readonly random: SeededRandom
  readonly cluster: ChainCluster
  readonly invariants: ChainInvariants
}

/** Gives the other side up on each side that the action names. */
export function useForce({ random, cluster, invariants }: OperatorComponents, action: NemesisAction): void {
  for (const side of action.by as number[]) {
    const nodes = (action.groups as string[][])[side]?.map(name => cluster.node(name)) ?? []
    const present = nodes.filter(node => node.running && !node.restored && cluster.isMember(node))
    const [ring] = present.flatMap(node => node.whole?.ring ?? [])
    if (ring === undefined) recover(random.fork(`operator ${action.atMs} ${side}`), invariants, present)
    else void recoverWhole(ring.allNodes, invariants)
  }
}

/** Does it as the program does: asks all nodes, and has done what they say. Nobody may be left to do it with when it has come so far. */
async function recoverWhole(
  allNodes: Pick<AllNodes, 'planRecovery' | 'recover'>,
  invariants: ChainInvariants,
): Promise<void> {
  try {
    const { id, lost } = await allNodes.planRecovery()
    for (const range of lost) if (range.survivor !== undefined) invariants.forced(range)
    await allNodes.recover(id)
  } catch (error) {
    if (errorCode(error) === undefined) throw error
  }
}

/** Recovers every range that is lost among these nodes, which all answer. */
function recover(random: SeededRandom, invariants: ChainInvariants, side: readonly ChainNode[]): void {
  const answers = new Map<NodeId, Knowledge>(side.map(node => [node.id, knowledgeOf(node)]))
  for (const range of lostRanges(answers)) {
    const survivor = side.find(node => node.id === range.survivor?.node)
    if (survivor === undefined) continue
    const view = recoveredView(range, `${random.next32().toString(16)}${random.next32().toString(16)}`)
    invariants.forced(view)
    survivor.handle({ kind: 'recover', view, basis: { epoch: range.epoch, id: range.id } })
    // Nobody is told before the survivor has it on its disk.
    const { driver } = survivor
    const told = () => {
      if (survivor.driver === driver && survivor.stable().views.has(view.id))
        for (const node of side) tell(node, view)
    }
    // A survivor that ends meanwhile has recovered nothing.
    driver?.durable().then(told, () => {})
  }
}

function knowledgeOf({ machine }: ChainNode): Knowledge {
  const states = [...(machine?.views.values() ?? [])]
  const holdings = states.map(({ view, installed, active, seq }) => {
    return { view, installed, active, seq, records: machine?.records.digest(view, '').count ?? 0 }
  })
  return { holdings, known: [...(machine?.table.all() ?? []), ...states.flatMap(({ next }) => next ?? [])] }
}

/** Every node that answered is told of the recovery (membership/recoveries.ts). */
function tell(node: ChainNode, view: View): void {
  const { machine } = node
  if (machine === undefined) return
  const envelope = { from: machine.self, boot: machine.boot, to: machine.self }
  node.handle({ kind: 'message', envelope: { ...envelope, message: { kind: 'teach', views: [view] } } })
}
