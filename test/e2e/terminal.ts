/**
 * A program on a pseudo-terminal for tests, which type keys and wait for what the screen shows. The terminal is made by
 * `script` of util-linux, so that nothing has to be built.
 */
import { execFileSync, spawn } from 'node:child_process'
import { type Exit, repositoryRoot, waitFor } from './harness.ts'

/** Longest wait for anything to appear, ms. Generous: the machines that run tests are shared. */
const SCREEN_TIMEOUT_MS = 120_000

export interface Terminal {
  /** Everything shown so far, escape sequences included. */
  readonly shown: string
  /** Presses keys, one after the other, as a person does. */
  type(keys: string): Promise<void>
  /** Waits until something new matches, since the last thing that was waited for. */
  see(pattern: RegExp): Promise<void>
  readonly exited: Promise<Exit>
  kill(): void
}

/** Why no terminal can be had; false when it can. */
export function missingTerminal(): string | false {
  try {
    return /util-linux/.test(execFileSync('script', ['--version'], { encoding: 'utf8' }))
      ? false
      : 'script is not the one of util-linux'
  } catch {
    return 'no script of util-linux'
  }
}

/** Runs this program with its arguments on a terminal of its own. */
export function openTerminal(programArguments: readonly string[], environment: NodeJS.ProcessEnv): Terminal {
  const words = [process.execPath, `${repositoryRoot}bin/altered-chord.js`, ...programArguments]
  const command = words.map(word => `'${word}'`).join(' ')
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...environment, TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let shown = ''
  let seen = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  child.stdin.on('error', () => undefined)
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const see = async (pattern: RegExp) => {
    let match: RegExpExecArray | null = null
    await waitFor(
      () => {
        match = pattern.exec(shown.slice(seen))
        return match !== null
      },
      { what: `the terminal shows ${pattern}`, timeoutMs: SCREEN_TIMEOUT_MS },
    ).catch(error => {
      throw new Error(`${(error as Error).message}; it shows:\n${JSON.stringify(shown.slice(seen))}`)
    })
    const { index, 0: text } = match as unknown as RegExpExecArray
    seen += index + text.length
  }
  return {
    get shown() {
      return shown
    },
    async type(keys) {
      child.stdin.write(keys)
    },
    see,
    exited,
    kill: () => child.kill('SIGKILL'),
  }
}
