/**
 * How the views of a group's arc come to all of its nodes. The head of a view tells it to nodes of the group that the range lies in, and the
 * nodes of a group tell each other what they lack: a filter of what one knows asks for the rest. Both ride on gossip, a few views in a message.
 *
 * What is told is soft state: a stale view costs a hop, since its replicas refuse and say what is newer.
 */
import { type Identifier, identifierPrefix } from '../../ring/identifier.ts'
import type { View } from '../../views/view.ts'
import { arcOfGroup, groupOf, isWithin, type PrefixArc } from './groups.ts'

/** Views of its own that a message tells, and views that its receiver lacks: some 600 bytes each. */
const OWN_TOLD_MAX = 2
export const LACKING_TOLD_MAX = 4
export const VIEWS_TOLD_MAX = OWN_TOLD_MAX + LACKING_TOLD_MAX

/** Bits of the filter for each view: one in eight is taken for known, until the salt is another one. */
const BITS_PER_VIEW = 8

/** What one node tells another one of views. */
export interface ViewsSaid {
  readonly views: readonly View[]
  /** In messages to the own group: what its sender knows of the views of an arc. */
  readonly known?: ViewFilter | undefined
}

/** A Bloom filter with one hash function of the ids of views. */
export interface ViewFilter extends PrefixArc {
  readonly salt: number
  readonly bits: Uint8Array
}

export interface GroupViewsComponents {
  /** How this node cuts the ring, and its own group. */
  readonly cut: { readonly groups: number; readonly group: PrefixArc }
  /** The newest view known of each range. */
  readonly newest: () => readonly View[]
  /** The views that this node heads. */
  readonly headed: () => readonly View[]
}

/** What rides on gossip for Kelips, and what is done in each of its rounds. */
export interface GossipOfKelips {
  readonly views: Pick<GroupViews, 'say'>
  round(): void
}

export class GroupViews {
  readonly #components: GroupViewsComponents
  /** Whose turn it is among the views that this node heads. */
  #turn = 0
  #salt = 0

  constructor(components: GroupViewsComponents) {
    this.#components = components
  }

  /**
   * What a node is told.
   * @param home its first identifier. @param heard what it has said, when this is the answer.
   */
  say(home: Identifier, heard?: ViewsSaid): ViewsSaid {
    const { cut, newest } = this.#components
    const views = this.#own(arcOfGroup(groupOf(identifierPrefix(home), cut.groups), cut.groups))
    if (heard?.known !== undefined) return { views: [...views, ...lackedBy(newest(), heard.known)] }
    if (!isWithin(cut.group, identifierPrefix(home)) || heard !== undefined) return { views }
    return { views, known: filterOf(newest(), cut.group, this.#salt++) }
  }

  /** Whether a view has keys of this node's group. */
  isKept(view: View): boolean {
    return reaches(view, this.#components.cut.group)
  }

  /** Some of those that this node heads and that the arc of a group reaches. */
  #own(arc: PrefixArc): View[] {
    const own = this.#components.headed().filter(view => reaches(view, arc))
    const told = own.slice(0, OWN_TOLD_MAX).map((_, index) => own[(this.#turn + index) % own.length] as View)
    this.#turn = (this.#turn + told.length) % Math.max(1, 1024 * 1024)
    return told
  }
}

/** Whether a view has keys in an arc. */
export function reaches({ lo, hi }: View, arc: PrefixArc): boolean {
  const [from, to] = [identifierPrefix(lo), identifierPrefix(hi)]
  if (isWithin(arc, from) || isWithin(arc, to)) return true
  // Else the whole arc lies within the view, or none of it.
  return lo === hi || isWithin({ from, to }, arc.from)
}

function filterOf(newest: readonly View[], { from, to }: PrefixArc, salt: number): ViewFilter {
  const known = newest.filter(view => reaches(view, { from, to }))
  const bits = new Uint8Array(Math.max(1, Math.ceil((known.length * BITS_PER_VIEW) / 8)))
  for (const { id } of known) {
    const bit = bitOf(id, salt, bits.length * 8)
    bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7))
  }
  return { from, to, salt, bits }
}

function lackedBy(newest: readonly View[], { bits, salt, from, to }: ViewFilter): View[] {
  const isKnown = ({ id }: View) => {
    const bit = bitOf(id, salt, bits.length * 8)
    return ((bits[bit >>> 3] as number) & (1 << (bit & 7))) !== 0
  }
  const lacking = newest.filter(view => reaches(view, { from, to }) && !isKnown(view))
  // From all over the arc, so that several who are asked at once answer with different ones.
  const count = Math.min(LACKING_TOLD_MAX, lacking.length)
  const start = salt % Math.max(1, lacking.length)
  return Array.from({ length: count }, (_, index) => {
    return lacking[(start + Math.floor((index * lacking.length) / count)) % lacking.length] as View
  })
}

/** FNV-1a (Fowler, Noll & Vo) of the id, salted. */
function bitOf(id: string, salt: number, bitCount: number): number {
  let hash = 0x811c9dc5 ^ salt
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
  hash ^= hash >>> 15
  return (hash >>> 0) % bitCount
}
