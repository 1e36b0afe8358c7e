/**
 * What a benchmark is: it runs against a node (and a baseline), and gives rows for the table.
 */

export interface Row {
  readonly what: string
  /** Ours, the baseline's, their ratio; each as text with its unit. */
  readonly ours: string
  readonly baseline?: string
  readonly ratio?: string
  /** The goal in words, and whether it was met. */
  readonly goal?: string
  readonly met?: boolean
}

export interface Settings {
  /** Small sizes and few rounds: to see that everything works, not to measure. */
  readonly quick: boolean
  /** A folder of the run; every case makes its own inside. */
  readonly directory: string
  /** Says on the terminal what is going on. */
  progress(message: string): void
}

export interface Benchmark {
  /** What `--only` picks. */
  readonly name: string
  run(settings: Settings): Promise<Row[]>
}
