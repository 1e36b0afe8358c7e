/**
 * What the load generators need to know of a server under load, ours or a baseline.
 */

export interface Server {
  /** As RESULTS.md calls it. */
  readonly name: string
  readonly port: number
  /** Of the process that does the work; its memory is what is measured. */
  readonly pid: number
  /** Of all processes that have a part in an answer; their processor time is added up. */
  readonly pids: readonly number[]
  /** The target of a request line that puts, gets or removes the file at a path of plain ASCII segments. */
  putTarget(path: string): string
  getTarget(path: string): string
  removeTarget(path: string): string
  /** What stands after the target of a unique path. */
  readonly putQuery?: string
  /** Where each target carries a signature of its own: those of so many puts. */
  signedTargets?(prefix: string, count: number): readonly string[]
  stop(): Promise<void>
}
