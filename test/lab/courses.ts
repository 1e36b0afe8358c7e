/**
 * The main courses of the protocol as transcripts that people read, in testdata/courses: what each node tells which other, in the
 * simulator without trouble, as etcd's raft keeps its own in testdata. `npm run courses` writes them anew.
 */

import type { ChainNode } from '../../src/lab/simulator/chain-node.ts'
import type { Wish } from '../../src/lab/simulator/client-request.ts'
import { type Subjects, Transcript } from '../../src/lab/simulator/transcript.ts'
import type { VirtualClock } from '../../src/lab/simulator/virtual-clock.ts'
import { identifierOfPath } from '../../src/ring/identifier.ts'
import { type PathName, parsePathName } from '../../src/ring/path-name.ts'
import { chainBench } from './simulator/chain-bench.ts'

type Bench = Awaited<ReturnType<typeof chainBench>>

export interface Course {
  /** Of its file. */
  readonly name: string
  /** What is to be seen, in a sentence or two. */
  readonly about: string
  readonly nodes: number
  readonly founders?: number
  /** Whose ranges are told of; without them that of the first path. */
  readonly paths?: readonly PathName[]
  /** What has happened before and is not shown. */
  readonly before?: (bench: Bench) => Promise<void>
  readonly run: (bench: Bench) => Promise<void>
}

/** Of a view and of a path there is one that all courses tell of. */
const PATH = parsePathName('p0')
/** Where a move goes. */
const SECOND_PATH = parsePathName('p1')

export const COURSES_FOLDER = new URL('../../testdata/courses/', import.meta.url)

/** They say that a node is there, and come all the time. */
const UNSHOWN = new Set(['ping', 'pong', 'floor'])

const LINES_MAX = 120

const META = { mediaType: 'text/plain' }
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const BODY = { size: 0, sha256: EMPTY_SHA256, blockChecksums: [], content: { inline: Buffer.of() } }

export const COURSES: readonly Course[] = [
  {
    name: 'write',
    about:
      'A client writes at a node that does not keep the path. The head numbers the write, each replica passes it on, and the answer goes out when the tail has it.',
    nodes: 5,
    before: async bench => ask(bench, outsiderOf(bench), { kind: 'get', path: PATH }),
    run: async bench => ask(bench, outsiderOf(bench), put('none')),
  },
  {
    name: 'read-through-a-hop',
    about:
      'A client reads at a node that does not keep the path. One replica answers, while a majority of the acceptors says that the view is not sealed.',
    nodes: 5,
    before: async bench => ask(bench, outsiderOf(bench), put('none')),
    run: async bench => ask(bench, outsiderOf(bench), { kind: 'get', path: PATH }),
  },
  {
    name: 'move',
    paths: [PATH, SECOND_PATH],
    about:
      'A file is moved: its source takes an intent, the destination gets the copy and decides, and the source is removed.',
    nodes: 4,
    before: async bench => ask(bench, headOf(bench), put('none')),
    run: async bench =>
      ask(bench, headOf(bench), { kind: 'move', from: PATH, to: SECOND_PATH, condition: 'absent' }),
  },
  {
    name: 'join',
    about:
      'A fourth node joins three. The ranges that it is to keep get views with it, and it copies what is there.',
    nodes: 4,
    founders: 3,
    before: async bench => ask(bench, headOf(bench), put('none')),
    run: async bench => {
      bench.cluster.join(bench.cluster.node('n4'))
      await pass(bench, 4_000)
    },
  },
  {
    name: 'crash',
    about:
      'The head of a range crashes while a client writes. The others seal its view, decide the next one, and the write goes there.',
    nodes: 4,
    before: async bench => ask(bench, outsiderOf(bench), put('none')),
    run: async bench => {
      const entry = outsiderOf(bench)
      bench.cluster.crash(headOf(bench))
      await ask(bench, entry, put('exists'), 6_000)
    },
  },
  {
    name: 'departure',
    about: 'A node leaves four. What it keeps goes to others first; it goes when it holds no view any more.',
    nodes: 4,
    before: async bench => ask(bench, headOf(bench), put('none')),
    run: async bench => {
      const node = headOf(bench)
      bench.cluster.depart(node)
      await pass(bench, 4_000)
    },
  },
  {
    name: 'recovery',
    about:
      'A node that crashed comes back within the time that it is waited for: it learns what was decided without it, and takes what it lacks.',
    nodes: 4,
    before: async bench => {
      await ask(bench, outsiderOf(bench), put('none'))
      const entry = outsiderOf(bench)
      bench.cluster.crash(headOf(bench))
      await ask(bench, entry, put('exists'), 6_000)
    },
    run: async bench => {
      for (const node of bench.cluster.nodes) if (!node.running) bench.cluster.start(node)
      await pass(bench, 4_000)
    },
  },
]

/** The text of a course, as it is kept in testdata. */
export async function transcriptOf(course: Course): Promise<string> {
  const { about, nodes, founders = nodes, paths = [PATH], before, run } = course
  const told: string[] = []
  let shows = false
  let transcript: ToldTranscript | undefined
  const bench = await chainBench({
    nodes,
    founders,
    transcript: clock => {
      transcript = new ToldTranscript(clock, paths, line => shows && told.push(line))
      return transcript
    },
  })
  transcript?.names.learn(
    bench.cluster.nodes.flatMap(node => [...node.views.values()].map(({ view }) => view)),
  )
  await before?.(bench)
  await pass(bench, 100)
  shows = true
  await run(bench)
  const rest = told.length > LINES_MAX ? [`… ${told.length - LINES_MAX} more`] : []
  return `# ${about}\n\n${[...told.slice(0, LINES_MAX), ...rest].join('\n')}\n`
}

/** Notes what has to do with the path at once, as a line for people. */
class ToldTranscript extends Transcript {
  readonly #clock: VirtualClock
  readonly #tell: (line: string) => void
  readonly names: Names

  constructor(clock: VirtualClock, paths: readonly PathName[], tell: (line: string) => void) {
    super({ clock }, {})
    this.names = new Names(paths)
    this.#clock = clock
    this.#tell = tell
  }

  override note(where: string, kind: string, subjects: Subjects, detail: string | (() => string) = ''): void {
    super.note(where, kind, subjects, detail)
    if (UNSHOWN.has(kind)) return
    const text = typeof detail === 'string' ? detail : detail()
    if (!isForAll(kind, subjects) && !this.names.areIn(text)) return
    const at = this.#clock.monotonicMs().toFixed(1).padStart(7)
    this.#tell(`${at}  ${where.padEnd(6)} ${kind.padEnd(13)} ${this.names.shown(text)}`.trimEnd())
  }
}

function isForAll(kind: string, subjects: Subjects): boolean {
  return subjects === '*' || kind === 'asked' || kind === 'told'
}

interface SeenView {
  readonly id: string
  readonly epoch: number
  readonly lo: string
  readonly hi: string
  readonly replicas: readonly string[]
}

/** Fields that say nothing to somebody who reads, or the same in every line. */
const UNSAID = new Set(
  `kind tag position timeMs nowMs writtenAtMs decidedAtMs expiresAtMs meta body file boot headBoot step digest requestId prefix sha256 floor seq
   cleanSeq purpose id counter history historyFloor movesFloor outcomes replaced settles moveId vote unconfirmed written at
   current tells`.split(/\s+/),
)

/** These say what they are about by what they are. */
const UNNAMED = new Set([
  'view',
  'viewId',
  'request',
  'record',
  'kind',
  'version',
  'versions',
  'records',
  'comparisons',
])

/** What the course is about: the views of the range of its paths, and the messages that answer others about them. */
class Names {
  readonly #views = new Map<string, string>()
  readonly #tags = new Set<string>()
  readonly #paths: readonly PathName[]

  constructor(paths: readonly PathName[]) {
    this.#paths = paths
  }

  /** The views that there are before anything is shown. */
  learn(views: readonly object[]): void {
    for (const view of views) this.#learn(view)
  }

  areIn(text: string): boolean {
    for (const [, found] of text.matchAll(/"tag":"([^"]+)"/g))
      if (this.#tags.has(found as string)) return true
    this.#learn(parsed(text))
    const isAbout =
      this.#paths.some(path => text.includes(`"${path}"`)) ||
      [...this.#views.keys()].some(id => text.includes(`"${id}"`))
    if (isAbout) for (const [, found] of text.matchAll(/"tag":"([^"]+)"/g)) this.#tags.add(found as string)
    return isAbout
  }

  shown(text: string): string {
    const value = parsed(text)
    const line = typeof value === 'string' ? value : this.#shown(value)
    const said =
      typeof value === 'object' && value !== null && isAsked(value) ? `${value.kind} ${line}` : line
    return said.replace(/\b(n\d)\.0\b/g, '$1')
  }

  #learn(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    if (isView(value)) this.#nameOf(value)
    for (const inner of Object.values(value)) this.#learn(inner)
  }

  /** V1, V2, … of the range of the first path, W1, … of that of the second one; undefined of other ranges. */
  #nameOf(view: SeenView): string | undefined {
    const letter = ['V', 'W'][this.#paths.findIndex(path => covers(view, path))]
    if (letter === undefined) return undefined
    const count = [...this.#views.values()].filter(name => name.startsWith(letter)).length
    const name = this.#views.get(view.id) ?? `${letter}${count + 1}`
    this.#views.set(view.id, name)
    return name
  }

  #shown(value: unknown): string {
    if (Array.isArray(value)) return value.map(each => this.#shown(each)).join(' ')
    if (typeof value !== 'object' || value === null) return this.#views.get(`${value}`) ?? `${value}`
    if (isView(value)) {
      const name = this.#nameOf(value)
      return name === undefined ? 'another' : `${name}[${value.replicas.join(' ')}]`
    }
    const { epoch, seq, round, node, path, operation } = value as Record<string, unknown>
    if (epoch !== undefined && seq !== undefined) return `${epoch}.${seq}`
    if (round !== undefined) return `${round}/${node}`
    const what = operation === undefined ? [] : [(operation as { kind: string }).kind]
    const fields = Object.entries(value).filter(
      ([key, field]) => !UNSAID.has(key) && key !== 'path' && key !== 'operation' && !isEmpty(field),
    )
    const said = fields.map(([key, field]) => {
      if (key === 'binding') return isFirst(field) ? 'first try' : `expects ${this.#shown(field)}`
      const shown = this.#shown(field)
      return UNNAMED.has(key) ? shown : `${key}=${shown}`
    })
    return [...what, ...(path === undefined ? [] : [`${path}`]), ...said].filter(Boolean).join(' ')
  }
}

function isView(value: object): value is SeenView {
  return 'lo' in value && 'hi' in value && 'replicas' in value && 'id' in value
}

function covers({ lo, hi }: Pick<SeenView, 'lo' | 'hi'>, path: PathName): boolean {
  const at = identifierOfPath(path)
  return lo < hi ? lo < at && at <= hi : lo < at || at <= hi
}

function isFirst(binding: unknown): boolean {
  return (binding as { kind: string }).kind === 'first'
}

/** What a client asks or is told. */
function isAsked(value: object): value is { readonly kind: string } {
  return (
    'kind' in value &&
    /^(get|put|remove|move|found|done|failed|unavailable|indeterminate)$/.test(`${value.kind}`)
  )
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
}

function parsed(text: string): unknown {
  const [id, json] = text.startsWith('{')
    ? ['', text]
    : [text.split(' ', 1)[0], text.slice(text.indexOf(' ') + 1)]
  try {
    return JSON.parse(json as string)
  } catch {
    return id
  }
}

function put(condition: 'none' | 'exists'): Wish {
  return { kind: 'put', path: PATH, body: BODY, meta: META, writtenAtMs: 0, condition }
}

/** The head of the view of the path, as most see it. */
function headOf({ cluster }: Bench): ChainNode {
  const id = viewOf(cluster)?.replicas[0]
  return cluster.nodes.find(node => node.id === id) as ChainNode
}

/** A node that keeps nothing of the path; where all keep it, its tail. */
function outsiderOf({ cluster }: Bench): ChainNode {
  const replicas = viewOf(cluster)?.replicas ?? []
  const others = cluster.nodes.filter(node => node.running && !replicas.includes(node.id))
  return (others[0] ?? cluster.nodes.find(node => node.id === replicas.at(-1))) as ChainNode
}

function viewOf(cluster: Bench['cluster']) {
  const views = cluster.nodes.flatMap(node => [...node.views.values()].map(({ view }) => view))
  return views.filter(view => covers(view, PATH)).sort((a, b) => b.epoch - a.epoch)[0]
}

async function ask(bench: Bench, node: ChainNode, request: Wish, ms = 200): Promise<void> {
  bench.workload.ask('client', node, request, false)
  await pass(bench, ms)
}

async function pass({ clock }: Bench, ms: number): Promise<void> {
  await clock.runSettled(clock.monotonicMs() + ms)
}
