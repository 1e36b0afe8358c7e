import t from 'tap'
import { scenario } from '../../src/lab/simulator/chain-scenario.ts'
import type { Answer, Operation } from '../../src/lab/simulator/history.ts'
import { checkHistory } from '../../src/lab/simulator/linearizability.ts'
import { SeededRandom } from '../../src/lab/simulator/seeded-random.ts'
import { BAD, GOOD, history } from '../lab/simulator/histories.ts'
import {
  goodHistory,
  goodMoves,
  goodTrash,
  SPOILS,
  spoiled,
  spoiledTrash,
  undoneMove,
} from './made-histories.ts'
import { Porcupine } from './porcupine.ts'

t.setTimeout(600_000)

const porcupine = await Porcupine.build()
const skip = typeof porcupine === 'string' ? porcupine : false
if (typeof porcupine !== 'string') t.teardown(() => porcupine.close())

/** Of simulated networks under trouble; the others are made, which is cheaper. */
const SIMULATED = 40
const GOOD_COUNT = 1_000
const SPOILED_COUNT = 200
const ALTERED_COUNT = 500
const MOVES_COUNT = 200
const UNDONE_COUNT = 50
const TRASH_COUNT = 200
const TRASH_SPOILED_COUNT = 100

type Histories = Map<string, readonly Operation[]>

/** Judges by both, and names those on which they differ. */
async function judge(histories: Histories) {
  const found = await (porcupine as Porcupine).judge(histories)
  const differ: string[] = []
  let bad = 0
  for (const [name, operations] of histories) {
    const own = checkHistory(operations)
    const ours = own.ok ? 'linearizable' : own.verdict
    if (ours !== 'linearizable') bad++
    const theirs = found.get(name)
    if (theirs?.verdict !== ours) differ.push(`${name}: ${ours} here, ${JSON.stringify(theirs)} there`)
  }
  return { bad, differ }
}

t.test('both checkers pass good histories, of simulated networks and made ones', { skip }, async t => {
  const histories: Histories = new Map()
  for (let seed = 1; seed <= SIMULATED; seed++) {
    await scenario.run(seed, { history: operations => histories.set(`simulated ${seed}`, operations) })
  }
  for (let seed = 1; histories.size < GOOD_COUNT; seed++) histories.set(`made ${seed}`, goodHistory(seed))
  const { bad, differ } = await judge(histories)
  t.same(differ, [])
  t.equal(bad, 0)
  const operations = [...histories.values()].reduce((sum, { length }) => sum + length, 0)
  t.comment(`${histories.size} good histories of ${operations} operations: both pass all`)
})

t.test('both checkers reject every spoiled history', { skip }, async t => {
  const histories: Histories = new Map()
  const counts = new Map<string, number>()
  for (let seed = 5_000; histories.size < SPOILED_COUNT && seed < 50_000; seed++) {
    const how = SPOILS[histories.size % SPOILS.length] as (typeof SPOILS)[number]
    const bad = spoiled(goodHistory(seed), how, new SeededRandom(seed))
    if (bad === undefined) continue
    histories.set(`${how} ${seed}`, bad)
    counts.set(how, (counts.get(how) ?? 0) + 1)
  }
  t.equal(histories.size, SPOILED_COUNT)
  const { bad, differ } = await judge(histories)
  t.same(differ, [])
  t.equal(bad, SPOILED_COUNT)
  t.comment(`${[...counts].map(([how, count]) => `${count} x ${how}`).join(', ')}: both reject all of ${bad}`)
})

t.test('both checkers judge both paths of a move together', { skip }, async t => {
  const good: Histories = new Map()
  for (let seed = 1; seed <= MOVES_COUNT; seed++) good.set(`moves ${seed}`, goodMoves(seed))
  const passed = await judge(good)
  t.same(passed.differ, [])
  t.equal(passed.bad, 0)
  const undone: Histories = new Map()
  const alone: Histories = new Map()
  for (let seed = 1; undone.size < UNDONE_COUNT && seed < 50_000; seed++) {
    const bad = undoneMove(goodMoves(seed), new SeededRandom(seed))
    if (bad === undefined || !checkHistory(bad.map(apart)).ok) continue
    undone.set(`undone ${seed}`, bad)
    alone.set(`apart ${seed}`, bad.map(apart))
  }
  t.equal(undone.size, UNDONE_COUNT)
  const { bad, differ } = await judge(undone)
  t.same(differ, [])
  t.equal(bad, UNDONE_COUNT)
  t.equal((await judge(alone)).bad, 0, 'path by path nothing is wrong with them')
  t.comment(`${MOVES_COUNT} good histories with moves pass, ${bad} with a move that was undone do not`)
})

t.test('both checkers judge what is in the trash', { skip }, async t => {
  const good: Histories = new Map()
  for (let seed = 1; seed <= TRASH_COUNT; seed++) good.set(`trash ${seed}`, goodTrash(seed))
  const passed = await judge(good)
  t.same(passed.differ, [])
  t.equal(passed.bad, 0)
  const spoiled: Histories = new Map()
  for (let seed = 1; spoiled.size < TRASH_SPOILED_COUNT && seed < 50_000; seed++) {
    const bad = spoiledTrash(goodTrash(seed), new SeededRandom(seed))
    if (bad !== undefined) spoiled.set(`spoiled ${seed}`, bad)
  }
  t.equal(spoiled.size, TRASH_SPOILED_COUNT)
  const { bad, differ } = await judge(spoiled)
  t.same(differ, [])
  t.equal(bad, TRASH_SPOILED_COUNT)
  t.comment(`${TRASH_COUNT} good histories of a trash pass, ${bad} with a wrong list of it do not`)
})

/** A move as two calls that have nothing to do with each other. */
function apart(operation: Operation): Operation {
  return operation.action.kind === 'remove' ? { ...operation, action: { kind: 'remove' } } : operation
}

t.test('both checkers agree on histories with an answer that was altered', { skip }, async t => {
  const histories: Histories = new Map()
  for (let seed = 100_000; histories.size < ALTERED_COUNT; seed++)
    histories.set(`altered ${seed}`, altered(goodHistory(seed), new SeededRandom(seed)))
  const { bad, differ } = await judge(histories)
  t.same(differ, [])
  t.ok(bad > ALTERED_COUNT / 10 && bad < (ALTERED_COUNT * 9) / 10, `${bad} of ${ALTERED_COUNT} are bad`)
})

t.test('both checkers judge the textbook cases alike', { skip }, async t => {
  const histories: Histories = new Map()
  for (const [name, lines] of GOOD) histories.set(`good: ${name}`, history(lines))
  for (const [name, lines] of BAD) histories.set(`bad: ${name}`, history(lines))
  const { bad, differ } = await judge(histories)
  t.same(differ, [])
  t.equal(bad, BAD.length)
})

/** One or two answers are others, which a store may give or may not. */
function altered(operations: readonly Operation[], random: SeededRandom): Operation[] {
  const chosen = new Set([random.pick(operations).id, random.pick(operations).id])
  return operations.map(operation => {
    if (!chosen.has(operation.id) || operation.answeredAtMs === undefined) return operation
    const others = operations.filter(({ path }) => path === operation.path)
    const answer = random.pick(answersTo(operation, others))
    return { ...operation, answer }
  })
}

function answersTo({ action }: Operation, others: readonly Operation[]): Answer[] {
  const values = others.flatMap(other => ('value' in other.action ? [other.action.value] : []))
  const gone: Answer = { kind: 'FILE_NOT_FOUND' }
  const done: Answer = { kind: 'ok' }
  switch (action.kind) {
    case 'get':
      return [gone, ...values.map((value): Answer => ({ kind: 'ok', value }))]
    case 'exists':
      return [done, gone]
    case 'put':
      return [done, { kind: 'ok', created: true }, { kind: 'ok', created: false }]
    case 'create':
      return [done, { kind: 'FILE_EXISTS' }]
    default:
      return [done, gone, ...('etag' in action ? [{ kind: 'PRECONDITION_FAILED' } as const] : [])]
  }
}
