/**
 * Histories that are linearizable by how they are made, and such that can't be, by how they are spoiled.
 */
import type { Action, Answer, FileAction, Operation } from '../../src/lab/simulator/history.ts'
import { SeededRandom } from '../../src/lab/simulator/seeded-random.ts'

interface Call {
  readonly client: string
  readonly action: FileAction
  readonly invokedAtMs: number
  /** The moment of its effect. */
  readonly atMs: number
  readonly answeredAtMs: number
  readonly fate: 'told' | 'lost, done' | 'lost, not done' | 'refused'
}

/** A file of one path as a store in its right mind has it. */
interface World {
  value: string | undefined
  etag: string
}

/** Some clients, each one call after the other; now and then an answer is lost and the effect comes late or never. */
export function goodHistory(seed: number): Operation[] {
  const random = new SeededRandom(seed)
  const paths = Array.from({ length: random.int(1, 3) }, (_, index) => `p${index}`)
  return paths.flatMap(path => ofPath(random.fork(path), path))
}

function ofPath(random: SeededRandom, path: string): Operation[] {
  const clients = random.int(1, 6)
  const calls: Call[] = []
  const freeMs = new Array<number>(clients).fill(0)
  const count = random.int(8, 60)
  for (let index = 0; index < count; index++) {
    const client = index % clients
    const invokedAtMs = (freeMs[client] as number) + random.between(0, 5)
    const atMs = invokedAtMs + random.between(0, 10)
    const answeredAtMs = atMs + random.between(0, 10)
    const fate = random.pick<Call['fate']>([
      ...new Array<'told'>(27).fill('told'),
      'lost, done',
      'lost, not done',
      'refused',
    ])
    const late = fate === 'lost, done' ? random.pick([0, 0, 40]) : 0
    freeMs[client] = answeredAtMs
    const action = drawAction(random, `${path}.v${index}`, random.int(Math.max(0, index - 6), index))
    calls.push({ client: `c${client}`, action, invokedAtMs, atMs: atMs + late, answeredAtMs, fate })
  }
  return perform(path, calls)
}

function drawAction(random: SeededRandom, value: string, before: number): FileAction {
  const etag = `e${before}`
  switch (random.pick(['get', 'get', 'get', 'exists', 'put', 'create', 'replace', 'remove', 'remove if'])) {
    case 'get':
      return { kind: 'get' }
    case 'exists':
      return { kind: 'exists' }
    case 'put':
      return { kind: 'put', value }
    case 'create':
      return { kind: 'create', value }
    case 'replace':
      return { kind: 'replace', value, etag }
    case 'remove':
      return { kind: 'remove' }
    default:
      return { kind: 'remove', etag }
  }
}

/** Carries the calls out at the moments of their effects. The ETag of a version is the number of its write. */
function perform(path: string, calls: readonly Call[]): Operation[] {
  const world: World = { value: undefined, etag: '' }
  const order = calls.map((call, index) => ({ call, index })).sort((a, b) => a.call.atMs - b.call.atMs)
  const answers = new Map<number, Answer>()
  for (const { call, index } of order) {
    if (call.fate === 'refused') answers.set(index, { kind: 'refused' })
    else if (call.fate === 'lost, not done') answers.set(index, { kind: 'unknown' })
    else {
      const answer = act(world, call.action, `e${index}`)
      answers.set(index, call.fate === 'told' ? answer : { kind: 'unknown' })
    }
  }
  return calls.map(({ client, action, invokedAtMs, answeredAtMs }, index) => {
    const answer = answers.get(index) as Answer
    const isTold = answer.kind !== 'unknown'
    const id = `${path}.${index}`
    return { id, client, path, action, invokedAtMs, answeredAtMs: isTold ? answeredAtMs : undefined, answer }
  })
}

function act(world: World, action: FileAction, etag: string): Answer {
  const stood = world.value !== undefined
  if (action.kind === 'get')
    return stood ? { kind: 'ok', value: world.value as string, etag: world.etag } : GONE
  if (action.kind === 'exists') return stood ? { kind: 'ok' } : GONE
  if (action.kind === 'create' && stood) return { kind: 'FILE_EXISTS' }
  if (action.kind === 'remove' && !stood) return GONE
  if ('etag' in action && action.etag !== undefined && !(stood && world.etag === action.etag)) {
    return { kind: 'PRECONDITION_FAILED' }
  }
  if (action.kind === 'remove') {
    world.value = undefined
    return { kind: 'ok' }
  }
  world.value = action.value
  world.etag = etag
  return { kind: 'ok', etag, created: !stood }
}

const GONE: Answer = { kind: 'FILE_NOT_FOUND' }

/** Two paths, and moves from one to the other among puts and reads; of every other move nobody is told. */
export function goodMoves(seed: number): Operation[] {
  const random = new SeededRandom(seed)
  const paths = ['p0', 'p1']
  const values = new Map<string, string>()
  const operations: Operation[] = []
  let atMs = 0
  for (let index = 0; index < 24; index++) {
    const [path, other] = random.shuffle([...paths]) as [string, string]
    const value = `${path}.v${index}`
    // Each call is over before the next begins, but for those that nobody is told of.
    const times = { invokedAtMs: atMs + random.between(1, 2), answeredAtMs: atMs + random.between(3, 4) }
    atMs += 5
    const call = (id: string, at: string, action: FileAction, answer: Answer) => {
      const answeredAtMs = answer.kind === 'unknown' ? undefined : times.answeredAtMs
      operations.push({ ...times, id: `${index}${id}`, client: 'c', path: at, action, answer, answeredAtMs })
    }
    const kind = random.pick(['get', 'get', 'put', 'move'])
    const stands = values.get(path)
    if (kind === 'get') call('', path, { kind }, stands === undefined ? GONE : { kind: 'ok', value: stands })
    else if (kind === 'put') call('', path, { kind: 'put', value }, { kind: 'ok' })
    else if (stands !== undefined && !values.has(other)) {
      const copy = `${other}.m${index}`
      const answer: Answer = { kind: random.chance(0.5) ? 'ok' : 'unknown' }
      call('r', path, { kind: 'remove', movedTo: { path: other, value: copy } }, answer)
      call('c', other, { kind: 'create', value: copy }, answer)
      values.delete(path)
      values.set(other, copy)
    }
    if (kind === 'put') values.set(path, value)
  }
  return operations
}

/**
 * The history in which a move is undone at its source: somebody has read its copy, of the source nobody else has written since,
 * and the source is there again. Each path by itself has an order, when nobody was told of the move.
 */
export function undoneMove(operations: readonly Operation[], random: SeededRandom): Operation[] | undefined {
  const candidates = operations.flatMap(removal => {
    const { action, answer, path } = removal
    if (action.kind !== 'remove' || action.movedTo === undefined || answer.kind !== 'unknown') return []
    const { movedTo } = action
    const before = writes(operations).filter(write => write.path === path && end(write) < removal.invokedAtMs)
    const last = before.at(-1)
    const seen = reads(operations).find(
      read => read.path === movedTo.path && read.answer.kind === 'ok' && read.answer.value === movedTo.value,
    )
    if (seen === undefined || last === undefined) return []
    return reads(operations)
      .filter(read => read.path === path && isBefore(seen, read))
      .filter(read => isAlone(operations, removal, end(last) + 1e-3, end(read)))
      .map(read => () => told(operations, read, last))
  })
  return candidates.length === 0 ? undefined : random.pick(candidates)()
}

export const SPOILS = ['stale read', 'lost write', 'double apply', 'two winners'] as const

/**
 * The history with one fault that no order explains, or undefined when it has no place for one. Each is wrong by
 * construction: every value is written once, so a value can't return; and where nothing else can have changed the file
 * between two calls, the second one has to see what the first one left.
 */
export function spoiled(
  operations: readonly Operation[],
  how: (typeof SPOILS)[number],
  random: SeededRandom,
): Operation[] | undefined {
  const candidates = SPOILERS[how](operations)
  return candidates.length === 0 ? undefined : random.pick(candidates)()
}

type Spoiler = (operations: readonly Operation[]) => (() => Operation[])[]

const SPOILERS: Readonly<Record<(typeof SPOILS)[number], Spoiler>> = {
  /** A read that began after a write was acknowledged shows what an earlier one had written. */
  'stale read': operations =>
    reads(operations).flatMap(read =>
      pairsBefore(operations, read).map(
        ([old]) =>
          () =>
            told(operations, read, old),
      ),
    ),
  /** A write was acknowledged, nobody else was about, and the file is not there. */
  'lost write': operations =>
    reads(operations).flatMap(read => {
      const write = writes(operations).find(
        one =>
          one.path === read.path &&
          isBefore(one, read) &&
          isAlone(operations, one, one.invokedAtMs, end(read)),
      )
      return write === undefined ? [] : [() => told(operations, read, undefined)]
    }),
  /** What a write of unknown outcome has written is read, overwritten, and there again. */
  'double apply': operations =>
    reads(operations).flatMap(last =>
      operations
        .filter(({ answer, action }) => answer.kind === 'unknown' && 'value' in action)
        .filter(unknown => wasOverwritten(operations, unknown, last))
        .map(unknown => () => told(operations, last, unknown)),
    ),
  /** Two creations succeed, and nobody has removed the file between them. */
  'two winners': operations =>
    operations
      .filter(({ action, answer }) => action.kind === 'create' && answer.kind === 'ok')
      .filter(create => isAlone(operations, create, create.invokedAtMs, end(create), 'remove'))
      .map(create => () => {
        const action = {
          kind: 'create',
          value: `${(create.action as { value: string }).value}.second`,
        } as const
        const answer = { kind: 'ok' } as const
        return [...operations, { ...create, id: `${create.id}.second`, client: 'second', action, answer }]
      }),
}

function reads(operations: readonly Operation[]): Operation[] {
  return operations.filter(
    ({ action, answer }) =>
      action.kind === 'get' && (answer.kind === 'ok' || answer.kind === 'FILE_NOT_FOUND'),
  )
}

/** Writes of which everybody knows that they have happened. */
function writes(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ action, answer }) => 'value' in action && answer.kind === 'ok')
}

/** Two acknowledged writes, one after the other, both before a read. */
function pairsBefore(operations: readonly Operation[], read: Operation): [Operation, Operation][] {
  const before = writes(operations).filter(write => write.path === read.path && isBefore(write, read))
  return before.flatMap(second =>
    before.filter(first => isBefore(first, second)).map(first => [first, second] as [Operation, Operation]),
  )
}

/** Somebody read what it wrote; then something else was written; then comes `last`. */
function wasOverwritten(operations: readonly Operation[], unknown: Operation, last: Operation): boolean {
  const { value } = unknown.action as { value: string }
  const seen = reads(operations).filter(({ path, answer }) => {
    return path === unknown.path && answer.kind === 'ok' && answer.value === value
  })
  return (
    pairsOf(seen, writes(operations)).some(
      ([sight, write]) => write.path === unknown.path && isBefore(sight, write) && isBefore(write, last),
    ) && last.path === unknown.path
  )
}

function pairsOf<A, B>(some: readonly A[], others: readonly B[]): [A, B][] {
  return some.flatMap(one => others.map(other => [one, other] as [A, B]))
}

function isBefore(a: Operation, b: Operation): boolean {
  return end(a) < b.invokedAtMs
}

function end({ answeredAtMs }: Operation): number {
  return answeredAtMs ?? Number.POSITIVE_INFINITY
}

/** No other call that may have changed the path (or, with a kind, changed it so) overlaps the span. */
function isAlone(
  operations: readonly Operation[],
  one: Operation,
  fromMs: number,
  untilMs: number,
  kind?: 'remove',
): boolean {
  return !operations.some(other => {
    const { action, answer, path, id } = other
    if (id === one.id || path !== one.path) return false
    if (action.kind === 'get' || action.kind === 'exists') return false
    if (kind !== undefined && action.kind !== kind) return false
    if (answer.kind !== 'ok' && answer.kind !== 'unknown') return false
    const endMs = answer.kind === 'unknown' ? Number.POSITIVE_INFINITY : end(other)
    return other.invokedAtMs <= untilMs && endMs >= fromMs
  })
}

/** The history in which a read shows what a write has written; or, without one, nothing. */
function told(operations: readonly Operation[], read: Operation, write: Operation | undefined): Operation[] {
  const answer: Answer =
    write === undefined ? GONE : { kind: 'ok', value: (write.action as { value: string }).value }
  return operations.map(operation => (operation.id === read.id ? { ...operation, answer } : operation))
}

/** One path whose trash is listed, restored from and emptied, each call over before the next but for those that nobody is told of. */
export function goodTrash(seed: number): Operation[] {
  const random = new SeededRandom(seed)
  const operations: Operation[] = []
  let file: string | undefined
  let trash: string[] = []
  let atMs = 0
  for (let index = 0; index < 24; index++) {
    const times = { invokedAtMs: atMs + random.between(1, 2), answeredAtMs: atMs + random.between(3, 4) }
    atMs += 5
    const call = (action: Action, answer: Answer) => {
      const id = `${operations.length}`
      const answeredAtMs = answer.kind === 'unknown' ? undefined : times.answeredAtMs
      operations.push({ ...times, id, client: 'c', path: 'p', action, answer, answeredAtMs })
    }
    const value = `v${index}`
    const oldest = random.chance(0.8) ? trash[0] : undefined
    const told: Answer = { kind: random.chance(0.85) ? 'ok' : 'unknown' }
    const kind = random.pick(['trash', 'trash', 'put', 'put', 'remove', 'restore', 'forget'])
    if (kind === 'trash') call({ kind }, { kind: 'ok', values: [...trash] })
    else if (kind === 'forget' && oldest !== undefined) {
      call({ kind, values: [oldest] }, told)
      trash = trash.filter(one => one !== oldest)
    } else if (kind === 'remove') {
      call({ kind }, file === undefined ? GONE : told)
      if (file !== undefined) trash = [...trash, file]
      file = undefined
    } else if (kind === 'put' || (kind === 'restore' && oldest !== undefined)) {
      if (kind === 'restore') call({ kind: 'trashed', of: oldest as string }, { kind: 'ok' })
      call({ kind: 'put', value, ...(kind === 'restore' && { restores: oldest as string }) }, told)
      const left = kind === 'restore' ? trash.filter(one => one !== oldest) : trash
      trash = file === undefined ? left : [...left, file]
      file = value
    }
  }
  return operations
}

/** The history with a list of the trash that lacks what nobody has taken out, or has what stands at the path. */
export function spoiledTrash(
  operations: readonly Operation[],
  random: SeededRandom,
): Operation[] | undefined {
  const lists = operations.filter(({ action }) => action.kind === 'trash')
  const restores = operations.some(({ action }) => 'restores' in action && action.restores !== undefined)
  const candidates = lists.flatMap(list => {
    const values = (list.answer as { values?: readonly string[] }).values ?? []
    const [first] = values
    const spoil = (spoiled: readonly string[]) => () =>
      operations.map(each =>
        each === list ? { ...each, answer: { kind: 'ok' as const, values: spoiled } } : each,
      )
    const isWanted = operations.some(
      ({ action }) => action.kind === 'forget' && action.values.includes(first as string),
    )
    const never = operations.find(({ action, invokedAtMs }) => 'value' in action && invokedAtMs > end(list))
    const { value } = (never?.action ?? {}) as { value?: string }
    return [
      ...(first !== undefined && !restores && !isWanted ? [spoil(values.slice(1))] : []),
      ...(value === undefined ? [] : [spoil([...values, value])]),
    ]
  })
  return candidates.length === 0 ? undefined : random.pick(candidates)()
}
