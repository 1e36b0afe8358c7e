/**
 * What the shell remembers between two runs: the lines that were typed, in a file of the user, bounded.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { Environment } from '../read-config.ts'

/** Lines: some weeks of typing, and a file that is read at once. */
export const HISTORY_LINES_MAX = 1000

/** Where the history is by default (XDG Base Directory Specification 0.8); undefined when there is no home. */
export function historyFile(environment: Environment): string | undefined {
  const { XDG_STATE_HOME: state, HOME: home } = environment
  // The specification has relative paths ignored.
  const folder = state && isAbsolute(state) ? state : home ? join(home, '.local', 'state') : undefined
  return folder === undefined ? undefined : join(folder, 'altered-chord', 'shell-history')
}

export class ShellHistory {
  readonly #file: string | undefined
  /** Oldest first. */
  readonly lines: readonly string[]

  /** Reads what is there; without a file, nothing is kept. @throws an error of the file system. */
  constructor(file: string | undefined) {
    this.#file = file
    const all = file === undefined ? [] : linesIn(file)
    this.lines = all.slice(-HISTORY_LINES_MAX)
    // Rewritten only now and then: other shells may be appending to it.
    if (file !== undefined && all.length > 2 * HISTORY_LINES_MAX) rewrite(file, this.lines)
  }

  /** Keeps one line, unless it begins with a space or names a token. @throws an error of the file system. */
  add(line: string): void {
    if (this.#file === undefined || line.trim() === '' || /^\s|--token/.test(line)) return
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 })
    appendFileSync(this.#file, `${line}\n`, { mode: 0o600 })
  }
}

function linesIn(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line !== '')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function rewrite(file: string, lines: readonly string[]): void {
  const whole = `${file}.new`
  writeFileSync(whole, `${lines.join('\n')}\n`, { mode: 0o600 })
  renameSync(whole, file)
}
