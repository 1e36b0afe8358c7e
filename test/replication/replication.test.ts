/**
 * What the contract promises of one path and of racing changes, on a network of one over storage in memory. How it holds
 * with faults and several nodes is the simulator's to show.
 */
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { type Env, realEnv } from '../../src/env.ts'
import type { Condition } from '../../src/replication/replication.ts'
import { type PathName, parsePathName } from '../../src/ring/path-name.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { type ETag, etagOf, type FileRecord } from '../../src/storage/record.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'
import { bodyOf, chunksOf } from '../storage/conformance.ts'

const [a, b] = [parsePathName('a'), parsePathName('b')]
const meta = { mediaType: 'text/x' }

async function network(t: Test, env: Env = realEnv()) {
  const storage = new MemoryStorage({ env })
  const ring = foundedRing(env, storage)
  t.teardown(() => ring.close())
  const { replication } = ring
  const put = async (path: PathName, bytes: Uint8Array | string, condition: Condition = 'none') => {
    const body = await replication.stage(chunksOf(Buffer.from(bytes)), { sizeMax: 1e8 })
    return replication.commit({ kind: 'put', path, condition, body, meta })
  }
  const remove = (path: PathName, condition: Condition = 'none') =>
    replication.commit({ kind: 'remove', path, condition })
  const move = (from: PathName, path: PathName, condition: Condition = 'none') =>
    replication.commit({ kind: 'move', from, path, condition })
  const find = async (path: PathName) => (await replication.find(path)).record
  const textAt = async (path: PathName) => {
    const record = await find(path)
    if (record === undefined) return undefined
    const read = await replication.read(record)
    return (read instanceof Uint8Array ? Buffer.from(read) : await buffer(read)).toString()
  }
  return { storage, put, remove, move, find, textAt }
}

const stale: Condition = { etags: ['"1.1-00000000"' as ETag] }

/** Whether a file is there, the change, its condition, and the code of the refusal. */
const rows: [boolean, 'put' | 'remove' | 'move', Condition, string | undefined][] = [
  [false, 'put', 'none', undefined],
  [false, 'put', 'absent', undefined],
  [false, 'put', 'exists', 'FILE_NOT_FOUND'],
  [false, 'put', stale, 'PRECONDITION_FAILED'],
  [false, 'remove', 'none', 'FILE_NOT_FOUND'],
  [false, 'remove', 'exists', 'FILE_NOT_FOUND'],
  [false, 'remove', stale, 'PRECONDITION_FAILED'],
  [false, 'move', 'none', undefined],
  [false, 'move', 'absent', undefined],
  [false, 'move', 'exists', 'FILE_NOT_FOUND'],
  [true, 'put', 'none', undefined],
  [true, 'put', 'absent', 'FILE_EXISTS'],
  [true, 'put', 'exists', undefined],
  [true, 'put', stale, 'PRECONDITION_FAILED'],
  [true, 'remove', 'none', undefined],
  [true, 'remove', 'exists', undefined],
  [true, 'remove', 'absent', 'FILE_EXISTS'],
  [true, 'remove', stale, 'PRECONDITION_FAILED'],
  [true, 'move', 'none', undefined],
  [true, 'move', 'absent', 'FILE_EXISTS'],
  [true, 'move', 'exists', undefined],
  [true, 'move', stale, 'PRECONDITION_FAILED'],
]

for (const [standing, kind, condition, code] of rows) {
  t.test(`${kind} if ${JSON.stringify(condition)} where ${standing ? 'a' : 'no'} file is`, async t => {
    const { storage, put, remove, move, textAt } = await network(t)
    await put(b, 'moved')
    if (standing) await put(a, 'before')
    const change = { put: () => put(a, 'after', condition), remove: () => remove(a, condition) }
    const changing = kind === 'move' ? move(b, a, condition) : change[kind]()
    if (code === undefined) t.equal((await changing).replaced, standing)
    else await t.rejects(changing, { code, path: 'a' })
    const done = { put: 'after', remove: undefined, move: 'moved' }[kind]
    const expected = code === undefined ? done : standing ? 'before' : undefined
    const left = kind === 'move' && code === undefined ? undefined : 'moved'
    t.equal(await textAt(a), expected)
    t.equal(await textAt(b), left)
    const kept = [expected, left].filter(text => text !== undefined)
    t.match(storage.statistics(), { files: kept.length, bytes: kept.join('').length, staged: 0 })
  })
}

t.test('every change gives a new version, a put the present time, and a move keeps the time', async t => {
  const env = realEnv()
  let nowMs = Date.UTC(2026, 0, 1)
  const { put, move, find } = await network(t, { ...env, clock: { ...env.clock, nowMs: () => nowMs } })
  const seen: FileRecord[] = []
  const look = async (path: PathName) => {
    const record = (await find(path)) as FileRecord
    seen.push(record)
    nowMs += 5
    return record.writtenAtMs
  }
  await put(a, 'A')
  t.equal(await look(a), nowMs - 5)
  await put(a, 'B')
  t.equal(await look(a), nowMs - 5)
  await put(a, 'A', { etags: seen.map(etagOf) })
  t.equal(await look(a), nowMs - 5)
  t.equal(new Set(seen.map(etagOf)).size, 3, 'A, B and A again are three versions')
  const [first, second, third] = seen.map(({ version }) => version.seq)
  t.ok((first ?? 0) < (second ?? 0) && (second ?? 0) < (third ?? 0))
  await move(a, b, 'absent')
  t.equal(await look(b), seen[2]?.writtenAtMs)
  t.not(etagOf(seen[3] as FileRecord), etagOf(seen[2] as FileRecord))
  await t.rejects(move(a, b), { code: 'FILE_NOT_FOUND', path: 'a' })
})

t.test('of racing creates exactly one wins, and every reader sees it whole', async t => {
  const { storage, put, textAt } = await network(t)
  const bodies = Array.from({ length: 10 }, (_, i) => bodyOf(100_000, i))
  const results = await Promise.allSettled(bodies.map(body => put(a, body, 'absent')))
  const winners = bodies.filter((_, i) => results[i]?.status === 'fulfilled')
  t.equal(winners.length, 1)
  for (const result of results) if (result.status === 'rejected') t.equal(result.reason.code, 'FILE_EXISTS')
  t.ok((await textAt(a)) === winners[0]?.toString())
  t.match(storage.statistics(), { files: 1, bytes: 100_000, staged: 0 })
})

t.test('of racing replaces of one version exactly one wins', async t => {
  const { put, find } = await network(t)
  await put(a, 'start')
  const etags = [etagOf((await find(a)) as FileRecord)]
  const attempts = Array.from({ length: 10 }, (_, i) => put(a, `replaced ${i}`, { etags }))
  const results = await Promise.allSettled(attempts)
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results)
    if (result.status === 'rejected') t.equal(result.reason.code, 'PRECONDITION_FAILED')
})

t.test('racing moves in a circle lose no file that was not replaced', async t => {
  const { storage, put, move, textAt } = await network(t)
  const paths = ['a', 'b', 'c'].map(parsePathName)
  for (const path of paths) await put(path, path)
  await Promise.allSettled(paths.map((from, i) => move(from, paths[(i + 1) % 3] as PathName)))
  const texts = (await Promise.all(paths.map(textAt))).filter(text => text !== undefined)
  t.ok(texts.length >= 1)
  t.equal(new Set(texts).size, texts.length, 'no file is at two paths')
  t.equal(storage.statistics().files, texts.length)
})

t.test('a reader of a path with a write under way sees the old file or the new one', async t => {
  const { put, textAt } = await network(t)
  await put(a, 'old')
  const putting = put(a, 'new')
  for (let i = 0; i < 20; i += 1) t.match(await textAt(a), /^(old|new)$/)
  await putting
  t.equal(await textAt(a), 'new')
})
