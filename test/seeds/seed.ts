/**
 * A place where the documented commands of a system are run as they are written: real node processes, curl and this
 * program in a shell. Only hosts and ports are replaced, by free ports of this machine.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  cleanEnvironment,
  freePort,
  type NodeProcess,
  repositoryRoot,
  startNode,
  waitFor,
} from '../e2e/harness.ts'

/** Why the commands can't be run; false when they can. */
export const missingCurl: string | false = (() => {
  try {
    execFileSync('curl', ['--version'])
    return false
  } catch {
    return 'no curl'
  }
})()

/** Longest wait for one command or condition, ms. Generous: the machines that run tests are shared. */
const SEED_TIMEOUT_MS = 300_000

/** Ports as the systems document them. */
const DOCUMENTED_PORT = /\b(50\d\d|8[0-9]{3})\b/g

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON. */
  json(): unknown
}

export class Seed {
  /** Where the commands run. */
  readonly folder: string
  readonly #root: string
  readonly #ports = new Map<string, number>()
  readonly #nodes = new Map<string, NodeProcess>()

  private constructor(root: string) {
    this.#root = root
    this.folder = join(root, 'work')
  }

  /** A place for the documented ports; the test's end stops and removes everything. */
  static async open(t: Test, documentedPorts: readonly number[]): Promise<Seed> {
    const seed = new Seed(await mkdtemp(join(tmpdir(), 'altered-chord-seed-')))
    await mkdir(seed.folder)
    while (seed.#ports.size < documentedPorts.length) {
      const port = await freePort()
      const documented = String(documentedPorts[seed.#ports.size])
      if (![...seed.#ports.values()].includes(port)) seed.#ports.set(documented, port)
    }
    t.teardown(async () => {
      await Promise.allSettled([...seed.#nodes.values()].map(node => node.kill()))
      await rm(seed.#root, { recursive: true, force: true })
    })
    return seed
  }

  /** A text with the documented ports replaced by those of this run. */
  here(text: string): string {
    return text.replace(DOCUMENTED_PORT, port => String(this.#ports.get(port) ?? port))
  }

  /** A text of this run as the documentation would show it. */
  shown(text: string): string {
    let shown = text
    for (const [documented, port] of this.#ports) shown = shown.replaceAll(String(port), documented)
    return shown
  }

  /** Starts `NAME=value ... node start ...` as documented and waits until it is ready. */
  async start(command: string, documentedPort: number): Promise<NodeProcess> {
    const words = this.here(command).split(' ')
    const first = words.indexOf('node')
    const assigned = words.slice(0, first).map(word => word.split(/=(.*)/s).slice(0, 2))
    const node = await startNode({
      port: Number(this.here(String(documentedPort))),
      commandLine: words.slice(first + 1),
      environment: {
        // The documented commands keep their files below the current folder.
        ALTERED_CHORD_DATA: join(this.#root, `data-${documentedPort}`),
        // Nodes that wait for each other take their time to start on a machine that is shared.
        ALTERED_CHORD_JOIN_TIMEOUT: '300s',
        ...Object.fromEntries(assigned),
      },
      readyTimeoutMs: SEED_TIMEOUT_MS,
    })
    this.#nodes.set(String(documentedPort), node)
    return node
  }

  /** Ends a node as a crash does. */
  async crash(documentedPort: number): Promise<void> {
    await this.#nodes.get(String(documentedPort))?.kill()
  }

  node(documentedPort: number): NodeProcess {
    const node = this.#nodes.get(String(documentedPort))
    if (node === undefined) throw new Error(`no node was started on ${documentedPort}`)
    return node
  }

  /** Runs one documented line in a shell; `altered-chord` is this program. */
  run(line: string, stdin = ''): Promise<Ran> {
    const program = `${process.execPath} ${repositoryRoot}bin/altered-chord.js`
    const script = this.here(line)
      .replace(/\baltered-chord (?=[a-z])/g, `${program} `)
      .replace(/\bcurl\b/g, 'curl -sS')
    return new Promise(resolve => {
      const options = {
        cwd: this.folder,
        env: cleanEnvironment(),
        timeout: SEED_TIMEOUT_MS,
        maxBuffer: 64 * 1024 ** 2,
      }
      const child = execFile('/bin/sh', ['-c', script], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) })
      })
      // A program that reads nothing may be gone before its input comes.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(stdin)
    })
  }

  /** Runs a line again and again until what it prints is right. */
  async until(line: string, isRight: (ran: Ran) => boolean): Promise<Ran> {
    let last: Ran | undefined
    await waitFor(
      async () => {
        last = await this.run(line)
        try {
          return isRight(last)
        } catch {
          return false
        }
      },
      { what: line, timeoutMs: SEED_TIMEOUT_MS, pauseMs: 200 },
    ).catch(error => {
      throw new Error(`${(error as Error).message}; the last answer: ${JSON.stringify(last)}`)
    })
    return last as Ran
  }

  /** Waits until writes at a node are kept by so many nodes, wherever they belong. */
  async keptBy(documentedPort: number, copies: number): Promise<void> {
    await this.until(`curl http://127.0.0.1:${documentedPort}/overlay`, ran =>
      (ran.json() as { ranges: { state: string; replicas: string[] }[] }).ranges.every(
        ({ state, replicas }) => state === 'serving' && replicas.length === copies,
      ),
    )
  }
}
