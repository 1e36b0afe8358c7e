/**
 * What happens when the program is wrong about its own state. An assertion states what must be true whatever the
 * network, the disk or a peer does; what they send is checked and refused, never asserted. A node whose assertion fails
 * can trust nothing that it has in memory, so its process ends, with a log entry that can be reported as it is, and starts
 * again from its disk (docs/decisions/0150-a-broken-invariant-ends-the-node.md).
 */
import type { Env } from './env.ts'
import { VERSION } from './version.ts'

/** The program is wrong. Nobody catches it but whoever ends the process. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/**
 * States what must be true.
 * @param rule one sentence, without anything that a user has named: it goes into a log that strangers may read.
 * @param about which view, node or ballot it is about.
 * @throws InvariantError.
 */
export function assert(condition: unknown, rule: string, about?: string): asserts condition {
  if (!condition) throw new InvariantError(about === undefined ? rule : `${rule} (${about})`)
}

/** Whether an error is one of a program that is wrong: what a disk or another node refuses has other names. */
export function isDefect(error: unknown): boolean {
  return error instanceof InvariantError || error instanceof TypeError || error instanceof ReferenceError
}

/** What broke, and in the midst of what. */
export interface Defect {
  readonly error: unknown
  /** The kind of event that was being handled, such as `message install`; never its content. */
  readonly event: string
}

/** Ends the process by way of an error that nobody catches, as soon as what is at hand has been answered. */
export function raise(error: InvariantError): void {
  setImmediate(() => {
    throw error
  })
}

/** The log entry of a defect: everything that a report of it needs, and no user's data. */
export function logDefect({ log }: Pick<Env, 'log'>, { error, event }: Defect): void {
  const { version: node, platform } = process
  log.error(
    { op: 'defect', event, version: VERSION, node, platform, err: error },
    'a defect of this program ends this node; please report this entry',
  )
}
