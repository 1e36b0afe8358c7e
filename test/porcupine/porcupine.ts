/**
 * Runs the Go program of this folder: the second opinion of porcupine on histories.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Operation } from '../../src/lab/simulator/history.ts'
import { formatHistory } from '../../src/lab/simulator/history-file.ts'

const run = promisify(execFile)

const FOLDER = import.meta.dirname

/** Fetching the module and compiling, ms. */
const BUILD_TIMEOUT_MS = 180_000

/** All histories of one call, ms. */
const JUDGE_TIMEOUT_MS = 300_000

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

export interface Opinion {
  readonly verdict: 'linearizable' | 'not linearizable' | 'undecided'
  /** The first path that is not in order. */
  readonly path?: string
  readonly reason?: string
}

export class Porcupine {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Compiles the program. Gives a sentence instead where that is not possible: there is no Go, or its module is out of reach. */
  static async build(): Promise<Porcupine | string> {
    const folder = await mkdtemp(join(tmpdir(), 'porcupine-'))
    try {
      const options = { cwd: FOLDER, timeout: BUILD_TIMEOUT_MS }
      await run('go', ['build', '-buildvcs=false', '-o', join(folder, 'porcupine'), '.'], options)
      return new Porcupine(folder)
    } catch (error) {
      await rm(folder, { recursive: true })
      const { code, stderr, message } = error as { code?: unknown; stderr?: string; message: string }
      if (code === 'ENOENT') return 'there is no Go on this machine'
      return `Go could not build test/porcupine: ${stderr || message}`
    }
  }

  /**
   * Judges many histories in one process.
   * @param pathSeconds how long one path may be searched before it counts as undecided.
   * @throws Error when the program can't read them.
   */
  async judge(
    histories: ReadonlyMap<string, readonly Operation[]>,
    pathSeconds = 30,
  ): Promise<Map<string, Opinion>> {
    const file = join(this.#folder, 'histories.ndjson')
    await writeFile(
      file,
      [...histories].map(([name, operations]) => formatHistory(name, operations)),
    )
    const options = { timeout: JUDGE_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX }
    const program = join(this.#folder, 'porcupine')
    const { stdout } = await run(program, ['-timeout', `${pathSeconds}s`, file], options).catch(error => {
      // 1: one of them is not linearizable, which its line says.
      if (error.code === 1) return error as { stdout: string }
      throw error
    })
    const lines = stdout.split('\n').filter(line => line !== '')
    return new Map(
      lines.map(line => {
        const { history, ...opinion } = JSON.parse(line) as Opinion & { history: string }
        return [history, opinion]
      }),
    )
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}
