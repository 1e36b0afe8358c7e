/**
 * The comparison of the records that several nodes keep of one range. They are compared by digests from the whole
 * downward, so that equal ranges cost one question; what differs is looked at twice, since a write on its way down the
 * chain is no difference.
 */

import { type PeerAnswer, type PeerCall, PREFIXES_MAX, type VersionsAnswer } from '../calls/calls.ts'
import type { Timers } from '../env.ts'
import type { Digest } from '../replication/chain/digest-tree.ts'
import { DIGITS, PREFIX_DIGITS } from '../replication/chain/digest-tree.ts'
import type { Arc } from '../ring/arc.ts'
import type { NodeId } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'

/** Until a write that was under way has reached every replica or was passed on again, ms. */
const SETTLE_MS = 2_000

/** Parts of a range that are looked at record by record; more differ only when a whole replica is wrong. */
const LEAVES_MAX = 1_000

export interface DifferencesComponents {
  readonly timers: Timers
  readonly ask: (node: NodeId, call: PeerCall) => Promise<PeerAnswer>
  readonly signal: AbortSignal
}

/** A replica that lacks a record, or stands behind with it. */
export interface Difference {
  readonly path: PathName
  readonly node: NodeId
  /** A node that has the newest version. */
  readonly from: NodeId
  /** What the node has, as text; empty when it has nothing. */
  readonly seen: string
}

type Kept = { readonly epoch: number; readonly seq: number; readonly isFile: boolean }

/** Differences that last. @throws StoreError of a call that failed. */
export async function differences(
  components: DifferencesComponents,
  range: Arc,
  nodes: readonly NodeId[],
): Promise<Difference[]> {
  const first = await differencesNow(components, range, nodes)
  if (first.length === 0) return first
  await components.timers.sleep(SETTLE_MS, components.signal)
  const before = new Set(first.map(nameOf))
  return (await differencesNow(components, range, nodes)).filter(one => before.has(nameOf(one)))
}

/** What differs at this moment, writes under way included. */
export async function differencesNow(
  components: DifferencesComponents,
  range: Arc,
  nodes: readonly NodeId[],
): Promise<Difference[]> {
  if (nodes.length < 2) return []
  const found: Difference[] = []
  for (const prefix of await differingLeaves(components, range, nodes)) {
    const { lo, hi } = range
    const answers = nodes.map(node => components.ask(node, { kind: 'versions', lo, hi, prefix }))
    found.push(...compare(nodes, (await Promise.all(answers)) as VersionsAnswer[]))
  }
  return found
}

async function differingLeaves(
  { ask }: DifferencesComponents,
  { lo, hi }: Arc,
  nodes: readonly NodeId[],
): Promise<string[]> {
  let prefixes = ['']
  for (let digits = 0; prefixes.length > 0; digits++) {
    const differing: string[] = []
    for (let at = 0; at < prefixes.length; at += PREFIXES_MAX) {
      const some = prefixes.slice(at, at + PREFIXES_MAX)
      const asked = nodes.map(node => ask(node, { kind: 'digests', lo, hi, prefixes: some }))
      const answers = (await Promise.all(asked)) as { digests: readonly Digest[] }[]
      differing.push(...some.filter((_, index) => !alike(answers.map(({ digests }) => digests[index]))))
    }
    if (digits === PREFIX_DIGITS) return differing.slice(0, LEAVES_MAX)
    prefixes = differing.slice(0, LEAVES_MAX).flatMap(prefix => DIGITS.map(digit => prefix + digit))
  }
  return []
}

function alike(digests: readonly (Digest | undefined)[]): boolean {
  const [first] = digests
  return digests.every(digest => digest?.count === first?.count && digest?.hash === first?.hash)
}

function compare(nodes: readonly NodeId[], answers: readonly VersionsAnswer[]): Difference[] {
  const byPath = new Map<PathName, Map<NodeId, Kept>>()
  nodes.forEach((node, index) => {
    for (const [path, epoch, seq, isFile] of answers[index]?.versions ?? []) {
      const kept = byPath.get(path) ?? new Map<NodeId, Kept>()
      byPath.set(path, kept.set(node, { epoch, seq, isFile }))
    }
  })
  return [...byPath].flatMap(([path, kept]) => behind(path, kept, nodes))
}

/** Those that do not have the newest record. A tombstone that is gone already was needed by nobody. */
function behind(path: PathName, kept: ReadonlyMap<NodeId, Kept>, nodes: readonly NodeId[]): Difference[] {
  const [from, newest] = [...kept].reduce((a, b) => (isOlder(a[1], b[1]) ? b : a))
  const found: Difference[] = []
  for (const node of nodes) {
    const own = kept.get(node)
    if (own === undefined ? newest.isFile : isOlder(own, newest))
      found.push({ path, node, from, seen: own === undefined ? '' : `${own.epoch}.${own.seq}` })
  }
  return found
}

function isOlder(a: Kept, b: Kept): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.seq < b.seq)
}

function nameOf({ path, node, seen }: Difference): string {
  return `${node} ${seen} ${path}`
}
