/**
 * Real processes of this program for end-to-end tests and benchmarks: each is started on its own port and data
 * directory, waited for, stopped or killed by its process id, and what it printed is kept.
 *
 * Every test gets processes that know nothing of the test runner: no loader, no coverage, no settings of the shell.
 */
import assert from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { compiledProgram } from './compiled-program.ts'

/** The folder that holds start.js and package.json. */
export const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url))

/** How a process ended: by its own code, or by a signal. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What a finished command printed. */
export interface Finished extends Exit {
  readonly stdout: string
  readonly stderr: string
}

export interface StartOptions {
  /** Default: a free one. */
  readonly port?: number
  /** Ports of nodes on this machine whose network is joined. Default: its own, which founds one. */
  readonly boots?: readonly number[]
  /** Default: none, which keeps the files in memory (`--memory`). */
  readonly dataDirectory?: string
  /** Further flags of `node start`. */
  readonly flags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Everything behind the word `node`, in place of what the options above say; `port` is where it will listen. */
  readonly commandLine?: readonly string[]
  /** Flags of Node itself, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[]
  /** The file that is run. Default: the start.js of the compiled program. */
  readonly program?: string
  /** The user as which it runs, by its number; only root may say so. */
  readonly user?: number
  /** How many files it may have open. Linux only. */
  readonly openFilesMax?: number
  /** PEM of the authority of its certificate, when its flags make it serve HTTPS. */
  readonly authority?: string
  /** Ends the wait for /ready, and with it the node. */
  readonly signal?: AbortSignal
  /** Longest wait for /ready, ms. Generous: the machines that run tests are shared. */
  readonly readyTimeoutMs?: number
  /** Between two questions for /ready, ms; each makes the node ask another one. Default: as short as a measurement of one start needs. */
  readonly readyPauseMs?: number
}

/** One running node. */
export interface NodeProcess {
  readonly port: number
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string
  readonly pid: number
  /** From the spawn of the process to the first 200 of /ready, ms. */
  readonly startMs: number
  /** Resolves when the process has ended, however it did. */
  readonly exited: Promise<Exit>
  /** Everything that it printed so far, both streams. */
  output(): string
  /** SIGTERM; resolves when the process has ended. */
  stop(): Promise<Exit>
  /** SIGKILL, as a crash; resolves when the process is gone. */
  kill(): Promise<Exit>
  /** SIGSTOP: the process does nothing, and its connections stay open. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Whether it was paused last, and not resumed. */
  readonly isPaused: boolean
  /** Anonymous resident memory now, bytes. Linux only. */
  residentBytes(): Promise<number>
}

/** Longest wait for a process to end after it was asked to, ms: its own limit for running requests, and some. */
const EXIT_TIMEOUT_MS = 30_000

/**
 * Starts a node and waits until /ready answers 200.
 * @throws Error with everything it printed when it ends or stays unready.
 */
export async function startNode(options: StartOptions = {}): Promise<NodeProcess> {
  const port = options.port ?? (await freePort())
  const began = performance.now()
  const { child, output, exited } = launch(startArguments(port, options), options)
  const pid = child.pid
  assert(pid !== undefined, 'the process started')
  const { authority } = options
  const url = `http${authority === undefined ? '' : 's'}://127.0.0.1:${port}`
  const dispatcher = new Agent(authority === undefined ? {} : { connect: { ca: authority } })
  let ended: Exit | undefined
  exited.then(exit => {
    ended = exit
  })
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    if (ended === undefined) child.kill(signal)
    return withDeadline(exited, EXIT_TIMEOUT_MS, () => `the node did not end after ${signal}:\n${output()}`)
  }
  try {
    await waitFor(
      async () => {
        options.signal?.throwIfAborted()
        if (ended !== undefined)
          throw new Error(`the node ended (${JSON.stringify(ended)}) before it was ready`)
        const reply = await request(`${url}/ready`, { dispatcher }).catch(() => undefined)
        await reply?.body.dump()
        return reply?.statusCode === 200
      },
      {
        what: 'the node is ready',
        timeoutMs: options.readyTimeoutMs ?? 30_000,
        pauseMs: options.readyPauseMs ?? 5,
      },
    )
  } catch (cause) {
    await end('SIGKILL')
    throw new Error(`${(cause as Error).message}; it printed:\n${output()}`, { cause })
  } finally {
    await dispatcher.destroy()
  }
  const startMs = performance.now() - began
  let isPaused = false
  return {
    port,
    url,
    pid,
    startMs,
    exited,
    output,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => {
      isPaused = true
      child.kill('SIGSTOP')
    },
    resume: () => {
      child.kill('SIGCONT')
      isPaused = false
    },
    get isPaused() {
      return isPaused
    },
    residentBytes: () => residentBytes(pid),
  }
}

/**
 * Runs a node until it ends by itself.
 * @throws Error with everything it printed when it still runs after `timeoutMs`; it is killed then.
 */
export async function runNode(options: StartOptions, timeoutMs: number): Promise<Finished> {
  const { child, exited, streams, output } = launch(
    startArguments(options.port ?? (await freePort()), options),
    options,
  )
  try {
    const exit = await withDeadline(exited, timeoutMs, () => `the node did not end:\n${output()}`)
    return { ...exit, stdout: streams.stdout.join(''), stderr: streams.stderr.join('') }
  } finally {
    child.kill('SIGKILL')
  }
}

/** Starts a node and kills it `afterMs` later, ready or not: a crash while it starts. */
export async function crashWhileStarting(
  options: StartOptions & { port: number },
  afterMs: number,
): Promise<void> {
  const { child, exited } = launch(startArguments(options.port, options), options)
  await delay(afterMs)
  child.kill('SIGKILL')
  await exited
}

/**
 * Runs the program to its end: `runProgram(['put', 'a.txt', 'b.txt'])` is `altered-chord put a.txt b.txt`.
 * Resolves whatever the exit code is; kills and throws after `timeoutMs`.
 */
export async function runProgram(
  programArguments: readonly string[],
  options: {
    readonly cwd?: string
    readonly environment?: Readonly<Record<string, string>>
    readonly stdin?: string | Uint8Array
    readonly timeoutMs?: number
  } = {},
): Promise<Finished> {
  const { child, exited, streams } = launch(
    [compiledProgram('bin/altered-chord.js'), ...programArguments],
    options,
    options.cwd,
  )
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(options.stdin)
  const timeoutMs = options.timeoutMs ?? 60_000
  try {
    const exit = await withDeadline(exited, timeoutMs, () => `still running: ${programArguments.join(' ')}`)
    return { ...exit, stdout: streams.stdout.join(''), stderr: streams.stderr.join('') }
  } finally {
    child.kill('SIGKILL')
  }
}

/** Waits until `condition` holds; asks again and again, with a pause between. */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  options: { readonly what: string; readonly timeoutMs?: number; readonly pauseMs?: number },
): Promise<void> {
  const deadline = performance.now() + (options.timeoutMs ?? 20_000)
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${options.what}`)
    await delay(options.pauseMs ?? 20)
  }
}

/**
 * A port that nobody listens on. Below the range from which the kernel takes the ports of outgoing connections, so that
 * a node can come back on the same one.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(15_000, 32_000)
    const free = await new Promise<boolean>(resolve => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
  throw new Error('no free port found')
}

/** Anonymous resident memory of a process, bytes: what it holds itself, without the page cache and mapped files. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]
  assert(kibibytes !== undefined, '/proc says RssAnon')
  return Number(kibibytes) * 1024
}

/** What a process takes of the machine's memory, bytes. */
export interface MemoryShare {
  /** As residentBytes. */
  readonly anonymous: number
  /** Its part of everything that it maps: pages that n processes share count as an n-th each (PSS). */
  readonly proportional: number
  /** Everything that it maps and that is in memory (RSS); shared pages count in full for each process. */
  readonly resident: number
}

/** Linux only. */
export async function memoryShareOf(pid: number): Promise<MemoryShare> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const bytesOf = (name: string) => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1]
    assert(kibibytes !== undefined, `/proc says ${name}`)
    return Number(kibibytes) * 1024
  }
  return { anonymous: await residentBytes(pid), proportional: bytesOf('Pss'), resident: bytesOf('Rss') }
}

/** Samples the anonymous resident memory of a process until `during` settles. Bytes before, and the most seen. */
export async function residentBytesDuring(
  pid: number,
  during: () => Promise<unknown>,
): Promise<{ readonly before: number; readonly peak: number }> {
  const before = await residentBytes(pid)
  let peak = before
  let running = true
  const sampling = (async () => {
    while (running) {
      peak = Math.max(peak, await residentBytes(pid))
      await delay(20)
    }
  })()
  try {
    await during()
  } finally {
    running = false
    await sampling
  }
  return { before, peak: Math.max(peak, await residentBytes(pid)) }
}

function startArguments(port: number, options: StartOptions): readonly string[] {
  if (options.commandLine !== undefined) return options.commandLine
  const data = options.dataDirectory === undefined ? ['--memory'] : ['--data', options.dataDirectory]
  const boots = options.boots ?? [port]
  return [
    ...(options.nodeFlags ?? []),
    options.program ?? compiledProgram('start.js'),
    ...['-p', String(port)],
    ...boots.flatMap(boot => ['-b', String(boot)]),
    ...data,
    ...(options.flags ?? []),
  ]
}

/** What the processes under test inherit: neither the test runner's loader nor settings meant for another node. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_|TAP|_TAP|ALTERED_CHORD_)|^(PORT|PEERS|SELF_URL)$/.test(name),
  )
  return { ...Object.fromEntries(inherited), ...extra }
}

/** No process outlives the test that started it, even when the test is ended from outside. */
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function launch(
  nodeArguments: readonly string[],
  options: Pick<StartOptions, 'environment' | 'user' | 'openFilesMax'>,
  cwd: string = repositoryRoot,
): {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  readonly streams: { readonly stdout: string[]; readonly stderr: string[] }
  output(): string
} {
  const { user, openFilesMax } = options
  // Under another user what tap has every process load could not write what it writes.
  const [program, ...first] = [
    ...(user === undefined ? [] : ['env', '-u', 'NODE_OPTIONS']),
    ...(openFilesMax === undefined ? [] : ['prlimit', `--nofile=${openFilesMax}:${openFilesMax}`]),
    process.execPath,
  ]
  const child = spawn(program as string, [...first, ...nodeArguments], {
    cwd,
    env: cleanEnvironment(options.environment),
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(user !== undefined && { uid: user, gid: user }),
  })
  const streams = { stdout: [] as string[], stderr: [] as string[] }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => streams.stdout.push(text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => streams.stderr.push(text))
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  children.add(child)
  exited.finally(() => children.delete(child)).catch(() => undefined)
  return { child, exited, streams, output: () => [...streams.stdout, ...streams.stderr].join('') }
}

export async function withDeadline<T>(
  promise: Promise<T>,
  timeoutMs: number,
  message: () => string,
): Promise<T> {
  const timer = new AbortController()
  try {
    return await Promise.race([
      promise,
      delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
        throw new Error(message())
      }),
    ])
  } finally {
    timer.abort()
  }
}
