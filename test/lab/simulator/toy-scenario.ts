/**
 * A protocol small enough to be seen through, and its broken variants: it shows that the simulator finds bugs
 * before the real protocol is trusted to it.
 *
 * n1 decides and stores, then passes on to n2, which stores and acknowledges; n1 answers writes after that, n2 answers
 * reads. Every request makes a new version, also one that changes nothing, so that a repeated request is known.
 */
import type { Action, Answer } from '../../../src/lab/simulator/history.ts'
import { HistoryRecorder } from '../../../src/lab/simulator/history.ts'
import { checkHistory } from '../../../src/lab/simulator/linearizability.ts'
import type {
  Mutant,
  MutantName,
  NemesisAction,
  RunOptions,
  RunResult,
  Scenario,
} from '../../../src/lab/simulator/scenario.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { SimulatedDisk } from '../../../src/lab/simulator/simulated-disk.ts'
import { type NodeName, QUIET_LINK, SimulatedNetwork } from '../../../src/lab/simulator/simulated-network.ts'
import { TimerScope } from '../../../src/lab/simulator/timer-scope.ts'
import { Transcript } from '../../../src/lab/simulator/transcript.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

interface Version {
  readonly seq: number
  readonly value: string | undefined
  readonly requests: readonly string[]
}

type Message =
  | { readonly kind: 'request'; readonly id: string; readonly path: string; readonly action: Action }
  | { readonly kind: 'answer'; readonly id: string; readonly answer: Answer }
  | { readonly kind: 'pass on'; readonly path: string; readonly version: Version }
  | { readonly kind: 'stored'; readonly path: string; readonly seq: number }

const mutant = (name: string, rule: string, runsMax: number): Mutant => ({
  name: name as MutantName,
  rule,
  runsMax,
})

const MUTANTS = [
  mutant('answer-early', 'a write is answered when the second node has it', 50),
  mutant('leak-dirty', 'no answer tells of a write that is not acknowledged', 200),
  mutant('no-request-ids', 'a repeated request is known', 50),
  mutant('no-sync', 'what is acknowledged is synced', 100),
  mutant('no-order', 'an older version does not replace a newer one', 200),
  mutant('pass-on-early', 'a version is synced before it is passed on', 300),
]

const PATHS = ['a', 'b']
const CLIENTS = 4
const CALLS = 12
const CALL_TIMEOUT_MS = 60
const PASS_ON_AGAIN_MS = 15
const RUN_MS_MAX = 5_000
const [head, tail] = ['n1', 'n2'] as NodeName[] as [NodeName, NodeName]

const EMPTY: Version = { seq: 0, value: undefined, requests: [] }

/** What the action does to a file, and what is told. Etags are left to the checker's own tests. */
function decide(action: Action, value: string | undefined): { value: string | undefined; answer: Answer } {
  if (action.kind === 'put') return { value: action.value, answer: { kind: 'ok' } }
  if (action.kind === 'create' && value === undefined) return { value: action.value, answer: { kind: 'ok' } }
  if (action.kind === 'create') return { value, answer: { kind: 'FILE_EXISTS' } }
  return { value: undefined, answer: { kind: value === undefined ? 'FILE_NOT_FOUND' : 'ok' } }
}

class ToyNode {
  readonly timers: TimerScope
  readonly disk: SimulatedDisk<Version>
  /** What this node goes by; on n2 what it answers from. Lost in a crash. */
  current = new Map<string, Version>()
  /** On n1: up to which version n2 has acknowledged. Lost in a crash. */
  #acknowledged = new Map<string, number>()
  #waiting: { path: string; seq: number; act: () => void }[] = []

  readonly name: NodeName
  readonly world: ToyWorld

  constructor(name: NodeName, world: ToyWorld) {
    this.name = name
    this.world = world
    this.timers = new TimerScope({ timers: world.clock })
    this.disk = new SimulatedDisk(
      { timers: this.timers, random: world.random.fork(`disk ${name}`) },
      { syncMinMs: 0.5, syncMaxMs: 6, tear: 0.3 },
    )
  }

  crash(): void {
    this.timers.clear()
    const loss = this.disk.crash()
    this.current.clear()
    this.#acknowledged.clear()
    this.#waiting = []
    this.world.transcript.note(this.name, 'crash', '*', `loses ${loss.lostCommits} commits`)
  }

  start(): void {
    for (const path of this.disk.keys()) this.current.set(path, this.disk.read(path) as Version)
    if (this.name === head) for (const path of this.current.keys()) this.#passOn(path)
  }

  receive(from: NodeName, message: Message): void {
    if (message.kind === 'request' && message.action.kind === 'get')
      this.#read(from, message.id, message.path)
    else if (message.kind === 'request') this.#write(from, message)
    else if (message.kind === 'pass on') this.#take(message.path, message.version)
    else if (message.kind === 'stored') this.#stored(message.path, message.seq)
  }

  #read(from: NodeName, id: string, path: string): void {
    const value = this.current.get(path)?.value
    const answer: Answer = value === undefined ? { kind: 'FILE_NOT_FOUND' } : { kind: 'ok', value }
    this.world.network.send(this.name, from, { kind: 'answer', id, answer })
  }

  #write(from: NodeName, { id, path, action }: Extract<Message, { kind: 'request' }>): void {
    const before = this.current.get(path) ?? EMPTY
    if (before.requests.includes(id) && !this.world.breaks('no-request-ids')) return
    const { value, answer } = decide(action, before.value)
    const version = { seq: before.seq + 1, value, requests: [...before.requests, id] }
    this.current.set(path, version)
    this.world.transcript.note(
      this.name,
      'decide',
      [path],
      `${version.seq} = ${value} for ${id}: ${answer.kind}`,
    )
    const tell = () => this.world.network.send(this.name, from, { kind: 'answer', id, answer })
    const isEarly =
      this.world.breaks('answer-early') || (this.world.breaks('leak-dirty') && answer.kind !== 'ok')
    if (!isEarly) this.#waiting.push({ path, seq: version.seq, act: tell })
    this.disk.write([[path, version]])
    if (this.world.breaks('pass-on-early')) this.#passOn(path)
    this.disk.sync(() => {
      if (isEarly) tell()
      this.#passOn(path)
    })
  }

  /** Until it is acknowledged. */
  #passOn(path: string): void {
    const version = this.world.breaks('pass-on-early')
      ? this.current.get(path)
      : this.disk.snapshot().entries.get(path)
    if (version === undefined || (this.#acknowledged.get(path) ?? 0) >= version.seq) return
    this.world.network.send(this.name, tail, { kind: 'pass on', path, version })
    this.timers.after(PASS_ON_AGAIN_MS, () => this.#passOn(path))
  }

  #take(path: string, version: Version): void {
    const written = this.disk.read(path) ?? EMPTY
    if (version.seq > written.seq || this.world.breaks('no-order')) this.disk.write([[path, version]])
    const stored = () => {
      const durable = this.disk.read(path) as Version
      this.current.set(path, durable)
      this.world.transcript.note(this.name, 'store', [path], `${durable.seq} = ${durable.value}`)
      this.world.network.send(this.name, head, { kind: 'stored', path, seq: version.seq })
    }
    if (this.world.breaks('no-sync')) stored()
    else this.disk.sync(stored)
  }

  #stored(path: string, seq: number): void {
    this.#acknowledged.set(path, Math.max(seq, this.#acknowledged.get(path) ?? 0))
    const isDue = (entry: { path: string; seq: number }) => entry.path === path && entry.seq <= seq
    const due = this.#waiting.filter(isDue)
    this.#waiting = this.#waiting.filter(entry => !isDue(entry))
    for (const entry of due) entry.act()
  }
}

class ToyWorld {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly transcript: Transcript
  readonly history: HistoryRecorder
  readonly network: SimulatedNetwork<Message>
  readonly nodes: ReadonlyMap<NodeName, ToyNode>
  readonly #mutant: MutantName | undefined
  readonly #calls = new Map<string, (answer: Answer) => void>()
  #writes = 0

  constructor(seed: number, { mutant, transcript }: RunOptions) {
    this.random = new SeededRandom(seed)
    this.#mutant = mutant
    this.transcript = new Transcript({ clock: this.clock }, { write: transcript })
    this.history = new HistoryRecorder({ clock: this.clock })
    this.network = new SimulatedNetwork<Message>(
      { clock: this.clock, random: this.random.fork('network') },
      {
        link: { ...QUIET_LINK, loss: 0.02, repeat: 0.1, late: 0.03, lateMaxMs: 400, held: 0.3 },
        deliver: (from, to, message) => this.#deliver(from, to, message),
      },
    )
    this.nodes = new Map([head, tail].map(name => [name, new ToyNode(name, this)]))
  }

  breaks(name: string): boolean {
    return this.#mutant === name
  }

  act({ kind, node }: NemesisAction): void {
    const target = this.nodes.get(node as NodeName) as ToyNode
    this.transcript.note(target.name, 'nemesis', '*', kind)
    if (kind === 'crash') {
      target.crash()
      this.network.down(target.name)
    } else if (kind === 'restart') {
      target.start()
      this.network.up(target.name)
    } else if (kind === 'pause') {
      target.timers.pause()
      this.network.pause(target.name)
    } else if (kind === 'resume') {
      target.timers.resume()
      this.network.up(target.name)
    } else if (kind === 'cut') {
      this.network.cut(head, tail)
    } else {
      this.network.healAll()
    }
  }

  /** One call after the other, and at the end a look at every path. */
  startClient(client: NodeName): void {
    const random = this.random.fork(client)
    let left = CALLS
    const next = () => {
      if (left-- > 0)
        this.clock.after(random.between(0, 12), () => this.#call(client, this.#draw(random), next))
    }
    next()
    this.clock.after(1_000, () =>
      this.#call(client, { path: random.pick(PATHS), action: { kind: 'get' } }, () => {}),
    )
  }

  #draw(random: SeededRandom): { path: string; action: Action } {
    const path = random.pick(PATHS)
    const kind = random.pick(['get', 'get', 'get', 'put', 'put', 'create', 'remove'] as const)
    if (kind === 'get' || kind === 'remove') return { path, action: { kind } }
    return { path, action: { kind, value: `v${++this.#writes}` } }
  }

  #call(client: NodeName, { path, action }: { path: string; action: Action }, then: () => void): void {
    const id = this.history.invoked(client, path, action)
    const settle = (answer: Answer) => {
      if (!this.#calls.delete(id)) return
      timer.cancel()
      this.history.answered(id, answer)
      this.transcript.note(client, 'told', [path], `${id}: ${JSON.stringify(answer)}`)
      then()
    }
    const timer = this.clock.after(CALL_TIMEOUT_MS, () => settle({ kind: 'unknown' }))
    this.#calls.set(id, settle)
    this.transcript.note(client, 'ask', [path], `${id}: ${JSON.stringify(action)}`)
    this.network.send(client, action.kind === 'get' ? tail : head, { kind: 'request', id, path, action })
  }

  #deliver(from: NodeName, to: NodeName, message: Message): void {
    const subjects = 'path' in message ? [message.path] : []
    this.transcript.note(`${from}>${to}`, message.kind, subjects, () => JSON.stringify(message))
    const node = this.nodes.get(to)
    if (node !== undefined) node.receive(from, message)
    else if (message.kind === 'answer') this.#calls.get(message.id)?.(message.answer)
  }

  /** After every event: n2 never has what n1 does not have. */
  invariantBroken(): string | undefined {
    const [first, second] = [this.nodes.get(head) as ToyNode, this.nodes.get(tail) as ToyNode]
    for (const path of PATHS) {
      const downstream = second.current.get(path)?.seq ?? 0
      if (downstream > (first.disk.read(path)?.seq ?? 0)) return path
    }
    return undefined
  }
}

/** Crashes, pauses and cuts, each with its end. */
function drawActions(random: SeededRandom): NemesisAction[] {
  const actions: NemesisAction[] = []
  let atMs = 0
  for (let count = random.int(0, 5); count > 0; count--) {
    atMs += random.int(5, 60)
    const node = random.pick([head, tail])
    const [kind, end] = random.pick([
      ['crash', 'restart'],
      ['pause', 'resume'],
      ['cut', 'heal'],
    ] as const)
    actions.push({ atMs, kind, node })
    atMs += random.int(5, 60)
    actions.push({ atMs, kind: end, node })
  }
  return actions
}

function run(seed: number, options: RunOptions): RunResult {
  if (options.mutant !== undefined && !MUTANTS.some(({ name }) => name === options.mutant)) {
    throw new TypeError(`There is no variant ${options.mutant}.`)
  }
  const world = new ToyWorld(seed, options)
  const { clock, transcript } = world
  const actions = options.schedule?.actions ?? drawActions(world.random.fork('nemesis'))
  for (const action of actions) clock.after(action.atMs, () => world.act(action))
  for (let client = 1; client <= CLIENTS; client++) world.startClient(`c${client}` as NodeName)
  const finish = (failure?: string, subjects: readonly string[] = [], untilMs = RUN_MS_MAX): RunResult => {
    if (failure !== undefined) transcript.tell({ reason: failure, subjects, untilMs })
    return {
      ok: failure === undefined,
      ...(failure === undefined ? {} : { failure }),
      steps: clock.steps,
      virtualMs: clock.monotonicMs(),
      digest: transcript.digest(),
      actions,
    }
  }
  while (clock.monotonicMs() < RUN_MS_MAX && clock.step()) {
    const path = world.invariantBroken()
    if (path !== undefined) return finish(`path ${path}: n2 has a version that n1 does not have`, [path])
  }
  const verdict = checkHistory(world.history.operations())
  return verdict.ok ? finish() : finish(verdict.explanation, [verdict.path], verdict.atMs)
}

export const scenario: Scenario = { name: 'toy', mutants: MUTANTS, run }
