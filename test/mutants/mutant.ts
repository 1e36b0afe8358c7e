/**
 * One change of one guard in the sources, by which the tests show that they would notice its loss.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

export interface Mutant {
  /** Unique; a few words joined by hyphens. */
  readonly id: string
  /** From the root of the repository. */
  readonly file: string
  /** Found exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** What may go wrong without the guard, as a few words. */
  readonly loss: string
  /** Test files that are tried, beside those of the source file. */
  readonly tests?: readonly string[]
  /** The name of a kept schedule that aims at it. */
  readonly schedule?: string
  /** Seeds of the simulator within which it has to be caught where no test does; 48 without it. */
  readonly seeds?: number
  /** Why its loss changes nothing that anybody could notice: another guard does the same. It is not run. */
  readonly equivalent?: string
}

/** Seeds that are tried where a mutant does not say. */
export const SEEDS = 48

/**
 * The source with the mutant in it.
 * @throws TypeError when its text is not there exactly once: the code has moved on, and the mutant has to follow.
 */
export function mutatedSource({ id, file, find, replace }: Mutant, root = ROOT): string {
  const parts = readFileSync(join(root, file), 'utf8').split(find)
  if (parts.length !== 2) {
    const times = parts.length - 1
    throw new TypeError(`The mutant ${id}: ${file} has its text ${times} times, not once: ${find}`)
  }
  return parts.join(replace)
}

/** Test files in the order in which they are tried: what it names, its twin, and the guards beside that. */
export function testsOf({ file, tests = [] }: Mutant, exists: (path: string) => boolean): string[] {
  const twin = file.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts')
  const guards = ['guards.test.ts', 'request-guards.test.ts'].map(name => twin.replace(/[^/]+$/, name))
  return [...new Set([...tests, ...[twin, ...guards].filter(exists)])]
}

/** Changes when a verdict on the mutant may change: with its text, its source file or a test of it. */
export function fingerprintOf(mutant: Mutant, tests: readonly string[], root = ROOT): string {
  const hash = createHash('sha256').update(JSON.stringify(mutant))
  for (const file of [mutant.file, ...tests]) hash.update(readFileSync(join(root, file)))
  return hash.digest('hex').slice(0, 16)
}
