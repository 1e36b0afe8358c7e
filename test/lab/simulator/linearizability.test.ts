import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { Answer, FileAction, Operation } from '../../../src/lab/simulator/history.ts'
import { checkHistory } from '../../../src/lab/simulator/linearizability.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import {
  BAD,
  create,
  GOOD,
  get,
  history,
  type Line,
  missing,
  ok,
  put,
  remove,
  replace,
  saw,
  stale,
  taken,
  unknown,
  wrote,
} from './histories.ts'

t.test('histories known to be good', async t => {
  for (const [name, lines] of GOOD) t.same(checkHistory(history(lines)), { ok: true }, name)
})

t.test('histories known to be bad, and why', async t => {
  for (const [name, lines, clients] of BAD) {
    const result = checkHistory(history(lines))
    t.equal(result.ok, false, name)
    if (result.ok) continue
    t.equal(result.verdict, 'not linearizable')
    const named = new Set(result.operations.map(operation => operation.client))
    for (const client of clients) t.ok(named.has(client), `${name}: the explanation names ${client}`)
    t.match(result.explanation, /^path a: /)
  }
})

t.test(
  'an explanation is short: the operations concerned, in order, and the first answer that is wrong',
  async t => {
    const lines: Line[] = [['c0', 0, 1, create('first'), ok]]
    for (let index = 1; index <= 100; index++) {
      lines.push(['c0', index * 10, index * 10 + 1, put(`v${index}`), ok])
      lines.push(['c1', index * 10 + 2, index * 10 + 3, get, saw(`v${index}`)])
    }
    lines.push(['c2', 505, 506, get, saw('v49')])
    const result = checkHistory(history(lines))
    assert.ok(!result.ok)
    t.same(result.explanation.split('\n'), [
      'path a: no order of these operations explains their answers (199 other operations of this path do not help)',
      'from ms    to ms  client  operation  answer',
      '490.000  491.000  c0      put v49    ok',
      '500.000  501.000  c0      put v50    ok',
      '505.000  506.000  c2      get        v49   <- fits nowhere',
    ])
  },
)

t.test('each path is judged by itself', async t => {
  const good = history(GOOD[2]?.[1] ?? [], 'good')
  const bad = history(BAD[1]?.[1] ?? [], 'bad')
  const result = checkHistory([...good, ...bad].sort((a, b) => a.invokedAtMs - b.invokedAtMs))
  t.match(result, { ok: false, path: 'bad' })
  t.match(checkHistory(good), { ok: true })
})

t.test('a history that no client can have is a defect of its writer', async t => {
  const wrong: [string, Line[]][] = [
    [
      'one value written twice',
      [
        ['c1', 0, 1, put('v1'), ok],
        ['c1', 2, 3, put('v1'), ok],
      ],
    ],
    ['an answer that does not belong to its action', [['c1', 0, 1, put('v1'), taken]]],
    ['a get without a value', [['c1', 0, 1, get, ok]]],
    ['a get that fails its precondition', [['c1', 0, 1, get, stale]]],
  ]
  for (const [name, lines] of wrong) t.throws(() => checkHistory(history(lines)), TypeError, name)
})

t.test('a search that is given up says so', async t => {
  const lines: Line[] = []
  for (let client = 0; client < 12; client++) lines.push([`c${client}`, 0, 1000, put(`v${client}`), ok])
  lines.push(['r', 1001, 1002, get, missing])
  const result = checkHistory(history(lines), { configurationsMax: 100 })
  t.match(result, { ok: false, verdict: 'undecided', explanation: /undecided after 100/ })
})

/**
 * The slow way: every order of every choice of unknown operations, on a register written down again in other words.
 * An If-Match whose etag no answer gives away may hold for a value whose etag no answer gives away.
 */
function isLinearizableByBruteForce(operations: readonly Operation[]): boolean {
  const etags = new Map<string, string>()
  for (const { action, answer } of operations) {
    if (answer.kind !== 'ok' || answer.etag === undefined) continue
    const value = action.kind === 'get' ? answer.value : 'value' in action ? action.value : undefined
    if (value === undefined) continue
    if (etags.has(value) && etags.get(value) !== answer.etag) return false
    etags.set(value, answer.etag)
  }
  if (new Set(etags.values()).size < etags.size) return false
  const given = new Set(etags.values())
  const holds = (etag: string, file: string): boolean[] => {
    if (given.has(etag)) return [etags.get(file) === etag]
    return etags.has(file) ? [false] : [true, false]
  }
  /** The files that may be there after the action in which `answer` is right; `null` is no file. */
  const apply = (action: FileAction, answer: Answer, file: string | null): (string | null)[] => {
    const told = (kind: Answer['kind']) => answer.kind === kind || answer.kind === 'unknown'
    const here = file !== null
    if (action.kind === 'get')
      return (here ? told('ok') && (answer as { value?: string }).value === file : told('FILE_NOT_FOUND'))
        ? [file]
        : []
    if (action.kind === 'exists') return told(here ? 'ok' : 'FILE_NOT_FOUND') ? [file] : []
    if (action.kind === 'put') {
      const { created = !here } = answer as { created?: boolean }
      return told('ok') && created !== here ? [action.value] : []
    }
    if (action.kind === 'create')
      return here ? (told('FILE_EXISTS') ? [file] : []) : told('ok') ? [action.value] : []
    const after = action.kind === 'replace' ? action.value : null
    if (!here)
      return told('FILE_NOT_FOUND') || (action.etag !== undefined && told('PRECONDITION_FAILED'))
        ? [file]
        : []
    const cases = action.etag === undefined ? [true] : holds(action.etag, file)
    return cases.flatMap(held => (told(held ? 'ok' : 'PRECONDITION_FAILED') ? [held ? after : file] : []))
  }
  const order = (left: readonly Operation[], file: string | null): boolean => {
    if (left.every(({ answer }) => answer.kind === 'unknown')) return true
    return left.some(next => {
      const isTooEarly = left.some(
        ({ answer, answeredAtMs }) =>
          answer.kind !== 'unknown' && answeredAtMs !== undefined && answeredAtMs < next.invokedAtMs,
      )
      if (isTooEarly) return false
      const rest = left.filter(other => other !== next)
      return apply(next.action as FileAction, next.answer, file).some(after => order(rest, after))
    })
  }
  return order(
    operations.filter(({ answer }) => answer.kind !== 'refused'),
    null,
  )
}

interface World {
  file: { value: string; etag: string } | undefined
  count: number
}

/** What a sane store does. */
function perform(world: World, action: FileAction): Answer {
  const { file } = world
  const store = (value: string): Answer => {
    world.count++
    world.file = { value, etag: `e${world.count}` }
    return { kind: 'ok', etag: `e${world.count}` }
  }
  switch (action.kind) {
    case 'get':
      return file ? saw(file.value, file.etag) : missing
    case 'exists':
      return file ? ok : missing
    case 'put':
      return { ...store(action.value), created: file === undefined } as Answer
    case 'create':
      return file ? taken : store(action.value)
    case 'replace':
      return file?.etag === action.etag ? store(action.value) : stale
    case 'remove':
      if (action.etag !== undefined && action.etag !== file?.etag) return stale
      world.file = undefined
      return file ? ok : missing
  }
}

interface Plan {
  readonly kind: FileAction['kind']
  readonly startMs: number
  readonly beforeMs: number
  readonly afterMs: number
  readonly etag: number
  readonly fate: 'told' | 'told without etag' | 'unknown, done' | 'unknown, not done'
}

const plan: fc.Arbitrary<Plan> = fc.record({
  kind: fc.constantFrom<FileAction['kind'][]>('get', 'get', 'exists', 'put', 'create', 'replace', 'remove'),
  startMs: fc.nat({ max: 12 }),
  beforeMs: fc.nat({ max: 6 }),
  afterMs: fc.nat({ max: 6 }),
  etag: fc.integer({ min: 1, max: 4 }),
  fate: fc.constantFrom<Plan['fate'][]>(
    'told',
    'told',
    'told without etag',
    'unknown, done',
    'unknown, not done',
  ),
})

/** A history of a sane store: each operation has its effect at one moment between its times, or later when unknown. */
function run(plans: readonly Plan[]): Operation[] {
  const world: World = { file: undefined, count: 0 }
  const moments = plans.map((each, index) => ({ each, index, atMs: each.startMs + each.beforeMs }))
  moments.sort((a, b) => a.atMs - b.atMs || a.index - b.index)
  return moments
    .map(({ each, index, atMs }): Operation => {
      const value = `v${index}`
      const action =
        each.kind === 'put' || each.kind === 'create'
          ? { kind: each.kind, value }
          : each.kind === 'replace'
            ? replace(`e${each.etag}`, value)
            : each.kind === 'remove' && each.etag > 2
              ? { kind: each.kind, etag: `e${each.etag}` }
              : ({ kind: each.kind } as FileAction)
      const told = each.fate === 'unknown, not done' ? unknown : perform(world, action as FileAction)
      const answer = each.fate.startsWith('unknown') ? unknown : told
      const { etag: _, ...without } = answer as { etag?: string }
      return {
        id: `${index}`,
        client: `c${index}`,
        path: 'a',
        action,
        invokedAtMs: each.startMs,
        answeredAtMs: answer === unknown ? undefined : atMs + each.afterMs,
        answer: each.fate === 'told without etag' ? (without as Answer) : answer,
      }
    })
    .sort((a, b) => a.invokedAtMs - b.invokedAtMs)
}

/** Spoils one answer in a way that a client could be told. */
function spoil(operations: readonly Operation[], which: number, how: number): Operation[] {
  return operations.map((operation, index) => {
    if (index !== which % operations.length) return operation
    const values = operations.flatMap(({ action }) => ('value' in action ? [action.value] : []))
    const answers: Record<FileAction['kind'], Answer[]> = {
      get: [missing, ...values.map(value => saw(value))],
      exists: [ok, missing],
      put: [ok, { kind: 'ok', created: how % 2 === 0 }],
      create: [ok, taken],
      replace: [ok, wrote('e2'), stale],
      remove: [ok, missing, ...('etag' in operation.action ? [stale] : [])],
    }
    const choices = answers[operation.action.kind as FileAction['kind']]
    const answer = choices[how % choices.length] as Answer
    return { ...operation, answer, answeredAtMs: operation.answeredAtMs ?? operation.invokedAtMs + 1 }
  })
}

t.test('a sane store passes', async () => {
  fc.assert(
    fc.property(fc.array(plan, { maxLength: 40 }), plans => {
      const result = checkHistory(run(plans))
      assert.ok(result.ok, result.ok ? '' : result.explanation)
    }),
    { numRuns: 500 },
  )
})

t.test('the verdict is that of trying every order', async t => {
  let bad = 0
  let runs = 0
  fc.assert(
    fc.property(
      fc.array(plan, { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 2 }),
      (plans, spoilt) => {
        const operations = spoilt.reduce((before, [which, how]) => spoil(before, which, how), run(plans))
        const expected = isLinearizableByBruteForce(operations)
        const result = checkHistory(operations)
        runs++
        if (!expected) bad++
        assert.equal(result.ok, expected, result.ok ? 'it found an order' : result.explanation)
        if (!result.ok) assert.ok(result.operations.length > 0)
      },
    ),
    { numRuns: 3000 },
  )
  t.ok(bad > runs / 10 && bad < (runs * 9) / 10, `${bad} of ${runs} histories were bad`)
})

/** A long history of a sane store: clients that ask one thing after the other, one in ten answers lost. */
function longHistory(seed: number, clients: number, count: number): Operation[] {
  const random = new SeededRandom(seed)
  const plans: Plan[] = []
  const freeMs = new Array<number>(clients).fill(0)
  for (let index = 0; index < count; index++) {
    const client = index % clients
    const startMs = (freeMs[client] as number) + random.fraction()
    const beforeMs = random.between(0, 10)
    const afterMs = random.between(0, 10)
    freeMs[client] = startMs + beforeMs + afterMs
    plans.push({
      kind: random.pick(['get', 'get', 'get', 'exists', 'put', 'create', 'replace', 'remove']),
      startMs,
      beforeMs: random.chance(0.02) ? 300 : beforeMs,
      afterMs,
      etag: random.int(1, 40),
      fate: random.pick([
        ...new Array<Plan['fate']>(18).fill('told'),
        'unknown, done',
        'unknown, not done',
      ] as Plan['fate'][]),
    })
  }
  return run(plans)
}

t.test('long histories with ten at a time, and with answers lost, are judged quickly', async t => {
  let operations = 0
  for (let seed = 0; seed < 20; seed++) {
    const long = longHistory(seed, 10, 400)
    operations += long.length
    const result = checkHistory(long, { configurationsMax: 20_000 })
    t.same(result, { ok: true }, `seed ${seed}`)
  }
  t.equal(operations, 8000)
})

t.test('in a long history a single stale read is found, and explained in few lines', async t => {
  for (let seed = 0; seed < 5; seed++) {
    const long = longHistory(seed, 10, 300)
    const last = long.reduce((a, b) => (b.invokedAtMs > a.invokedAtMs ? b : a))
    const written = long.filter(({ action, answer }) => action.kind === 'put' && answer.kind === 'ok')
    const early = written[0]?.action as { value: string }
    const at = last.invokedAtMs + 500
    const bad = [...long, ...history([['reader', at, at + 1, get, saw(early.value)]])]
    const result = checkHistory(bad)
    assert.ok(!result.ok)
    t.equal(result.verdict, 'not linearizable')
    t.ok(result.operations.length <= 12, result.explanation)
    t.equal(result.operations.at(-1)?.client, 'reader')
  }
})

t.test('five thousand operations of one path do not exhaust the stack', async t => {
  const lines: Line[] = []
  for (let index = 0; index < 5000; index++) lines.push(['c', index, index + 0.5, put(`v${index}`), ok])
  lines.push(['c', 6000, 6001, remove, ok])
  t.same(checkHistory(history(lines)), { ok: true })
})

t.test('a move whose copy was read has left its source, be it that nobody was told of it', async t => {
  const moved = (client: string, at: number, untilMs: number | undefined, answer: Answer): Operation[] => [
    ...history([[client, at, untilMs, { kind: 'remove', movedTo: { path: 'b', value: 'w' } }, answer]]).map(
      each => ({ ...each, id: `${client} from` }),
    ),
    ...history([[client, at, untilMs, create('w'), answer]], 'b').map(each => ({
      ...each,
      id: `${client} to`,
    })),
  ]
  const written = history([['c1', 0, 1, create('v'), ok]])
  const seen = history([['c2', 10, 11, get, saw('w')]], 'b')
  const source = (at: number, answer: Answer) =>
    history([['c3', at, at + 1, get, answer]]).map(each => ({ ...each, id: 'source' }))
  const unanswered = [...written, ...moved('m', 2, undefined, unknown)]
  t.ok(checkHistory([...unanswered, ...seen, ...source(12, missing)]).ok)
  t.ok(
    checkHistory([...unanswered, ...seen, ...source(5, saw('v'))]).ok,
    'before it was read it may not have happened',
  )
  t.ok(checkHistory([...unanswered, ...source(12, saw('v'))]).ok, 'nobody has seen it')
  const undone = checkHistory([...unanswered, ...seen, ...source(12, saw('v'))])
  assert.ok(!undone.ok)
  t.match(undone, { verdict: 'not linearizable', path: 'a' })
  t.match(undone.explanation, /move to b as w/)
  const told = [...written, ...moved('m', 2, 3, ok)]
  t.notOk(
    checkHistory([...told, ...source(12, saw('v'))]).ok,
    'of one that was answered both are known anyway',
  )
})
