/**
 * What a range has to have: replicas and acceptors that answer, as many as the size of the network allows, and
 * everything in its place.
 */
import type { NodeId } from '../ring/identifier.ts'
import { acceptorCount, majority } from '../views/view.ts'
import type { OverlayRange } from './overlay.ts'

/** Who answered just now, and who is believed a member and did not. */
export interface Attendance {
  readonly present: ReadonlySet<NodeId>
  readonly silent: ReadonlySet<NodeId>
}

/** How far a range is from being right: by itself it comes right, or an operator has to decide. */
export type Fault =
  | { readonly kind: 'repairable'; readonly message: string }
  | { readonly kind: 'lost'; readonly message: string }

/** What is wrong with a range; undefined when nothing is. @param copies replicas that the network wants. */
export function faultOf(
  range: OverlayRange,
  { present, silent }: Attendance,
  copies: number,
): Fault | undefined {
  const { replicas, acceptors, state } = range
  if (state === 'unknown') return { kind: 'lost', message: 'No node that answers has a part in this range.' }
  const live = replicas.filter(node => present.has(node)).length
  const votes = acceptors.filter(node => present.has(node)).length
  if (live === 0) return { kind: 'lost', message: `None of its ${replicas.length} replicas answers.` }
  if (votes < majority(acceptors))
    return { kind: 'lost', message: `Only ${votes} of its ${acceptors.length} acceptors answer.` }
  const wanted = Math.min(copies, present.size)
  if (live < wanted || live < replicas.length)
    return repairable(`${live} of its ${Math.max(wanted, replicas.length)} replicas answer.`)
  const deciding = acceptorsWanted(present.size, silent.size, copies)
  if (acceptors.length < deciding || votes < Math.min(deciding, present.size))
    return repairable(`${votes} of its ${deciding} acceptors answer.`)
  if (state === 'changing') return repairable('Its next view is not in place yet.')
  if (state === 'back-filling') return repairable('Some of its large bodies are not on every replica yet.')
  return undefined
}

/** The fewest that chooseAcceptors chooses: rather than fall to a single acceptor, those stay that do not answer. */
function acceptorsWanted(present: number, silent: number, copies: number): number {
  return Math.max(acceptorCount(present, copies), Math.min(3, acceptorCount(present + silent, copies)))
}

function repairable(message: string): Fault {
  return { kind: 'repairable', message }
}
