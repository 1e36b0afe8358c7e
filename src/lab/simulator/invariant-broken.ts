/**
 * How the simulator says that a rule was broken, and what the broken rule is about.
 */
import type { Subjects } from './transcript.ts'

/** A rule was broken. */
export class InvariantBroken extends Error {
  readonly subjects: Subjects

  constructor(reason: string, subjects: Subjects) {
    super(reason)
    this.subjects = subjects
  }
}
