/**
 * One question to all nodes of the network, whoever they are: first to those that this node knows, then along the ring to those whom the views
 * name of the ranges that nobody has spoken for yet. So the whole ring is asked by a node that knows a part of it only.
 */
import type { PeerCall } from '../calls/calls.ts'
import type { Members } from '../membership/members.ts'
import type { NetworkView } from '../replication/chain/network-view.ts'
import { type Arc, arcContains } from '../ring/arc.ts'
import { type Identifier, identifierAfter, type NodeId } from '../ring/identifier.ts'
import type { View } from '../views/view.ts'
import type { Asked, AskedNode } from './asking.ts'

/** Gaps that are looked into at once. */
const GAPS_AT_ONCE = 32

export interface RingWalkComponents {
  readonly members: Members
  readonly known: Pick<NetworkView, 'self' | 'covering'>
  /** Finds the view of a position. @throws StoreError UNAVAILABLE. */
  readonly lookup: (key: Identifier) => Promise<{ readonly view: View }>
  readonly askEach: <Answer>(nodes: readonly AskedNode[], asked: PeerCall) => Promise<Asked<Answer>>
}

/** The views of gaps that were found, and gaps of which none was. */
interface Looked {
  readonly arcs: Arc[]
  readonly nowhere: Set<Identifier>
}

export class RingWalk {
  readonly #components: RingWalkComponents

  constructor(components: RingWalkComponents) {
    this.#components = components
  }

  /**
   * Asks all.
   * @param own what this node speaks for itself. @param arcsOf what an answer speaks for.
   */
  async ask<Answer>(
    asked: PeerCall,
    own: readonly Arc[],
    arcsOf: (answer: Answer) => readonly Arc[],
  ): Promise<Asked<Answer> & { readonly nodes: readonly AskedNode[] }> {
    const { members, known, askEach } = this.#components
    const answers: (readonly [NodeId, Answer])[] = []
    const silent: AskedNode[] = []
    const arcs = [...own]
    const met = new Map<NodeId, AskedNode>([[known.self, members.self]])
    const looked: Looked = { arcs: [], nowhere: new Set() }
    for (let next: readonly AskedNode[] = members.others(); next.length > 0; ) {
      for (const node of next) met.set(node.nodeId, node)
      const told = await askEach<Answer>(next, asked)
      answers.push(...told.answers)
      silent.push(...told.silent)
      for (const [, answer] of told.answers) arcs.push(...arcsOf(answer))
      next = await this.#named(arcs, looked, met)
    }
    met.delete(known.self)
    return { answers, silent, nodes: [...met.values()] }
  }

  /** Nodes that nobody has met yet and that views of the gaps name; none when there are no gaps, or nobody else is to be found. */
  async #named(
    arcs: readonly Arc[],
    looked: Looked,
    met: ReadonlyMap<NodeId, AskedNode>,
  ): Promise<AskedNode[]> {
    for (;;) {
      const gaps = gapsOf([...arcs, ...looked.arcs]).filter(gap => !looked.nowhere.has(gap))
      if (gaps.length === 0) return []
      const some = evenly(gaps, GAPS_AT_ONCE)
      const views = await Promise.all(some.map(gap => this.#viewOf(gap)))
      // Whoever such a view names is asked now, or was; who does not answer for it has nothing to say of it.
      for (const [index, gap] of some.entries()) {
        const view = views[index]
        if (view === undefined || !arcContains(view, gap)) looked.nowhere.add(gap)
        else looked.arcs.push(view)
      }
      const named = new Map<NodeId, AskedNode>()
      for (const view of views)
        if (view !== undefined) for (const node of this.#membersOf(view)) named.set(node.nodeId, node)
      for (const node of met.keys()) named.delete(node)
      if (named.size > 0) return [...named.values()]
    }
  }

  /** Who knows all nodes has asked them all; a view that it knows may name one that it has not heard of. */
  async #viewOf(position: Identifier): Promise<View | undefined> {
    const { members, known, lookup } = this.#components
    if (!members.routing.isPartial) return known.covering(position)
    return lookup(position).then(
      ({ view }) => view,
      () => undefined,
    )
  }

  #membersOf({ replicas, acceptors, members: said = [] }: View): AskedNode[] {
    const { members } = this.#components
    const contacts = new Map(said.map(({ node, contact }) => [node, contact?.address]))
    return [...new Set([...replicas, ...acceptors])].flatMap(nodeId => {
      const address = members.addressOf(nodeId) ?? contacts.get(nodeId)
      return address === undefined ? [] : [{ nodeId, address }]
    })
  }
}

/** Where the ring goes on after arcs that nobody continues: the first position of each gap. Position zero when there are no arcs. */
export function gapsOf(arcs: readonly Arc[]): Identifier[] {
  if (arcs.length === 0) return [FIRST]
  if (arcs.some(({ lo, hi }) => lo === hi)) return []
  const pieces = arcs.flatMap(unwrapped).sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0))
  const gaps: Identifier[] = []
  let reached = ''
  for (const { lo, hi } of pieces) {
    if (lo > reached) gaps.push(reached === '' ? FIRST : identifierAfter(reached as Identifier))
    if (hi > reached) reached = hi
  }
  if (reached < LAST) gaps.push(identifierAfter(reached as Identifier))
  return gaps
}

const FIRST = '0'.repeat(40) as Identifier
const LAST = 'f'.repeat(40) as Identifier

/** Parts that do not lead over position zero; '' stands before it. */
function unwrapped({ lo, hi }: Arc): { readonly lo: string; readonly hi: string }[] {
  if (lo < hi) return [{ lo, hi }]
  return lo === LAST
    ? [{ lo: '', hi }]
    : [
        { lo: '', hi },
        { lo, hi: LAST },
      ]
}

function evenly<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items]
  return Array.from(
    { length: count },
    (_, index) => items[Math.floor((index * items.length) / count)] as Item,
  )
}
