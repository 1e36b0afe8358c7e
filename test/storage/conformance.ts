/**
 * Owns the tests that every storage passes, whatever it keeps its files on. Each test opens a fresh storage.
 */
import { createCipheriv, createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import { type Env, realEnv } from '../../src/env.ts'
import { identifierOfPath, parseIdentifier } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import type { ETag, FileRecord } from '../../src/storage/record.ts'
import { BLOCK_BYTES, etagOf, INLINE_BYTES_MAX } from '../../src/storage/record.ts'
import type { Condition, Storage } from '../../src/storage/storage.ts'
import { OUTCOME_KEPT_MS } from '../../src/storage/storage.ts'

/** Opens an empty storage that the test closes at its end. `outcomesMax` is for the test of that limit. */
export type OpenStorage = (t: Test, init: { env: Env; outcomesMax?: number }) => Promise<Storage>

const sizeMax = 64 * BLOCK_BYTES

/** Bytes that differ from block to block and from seed to seed. */
export function bodyOf(size: number, seed = 1): Buffer {
  const key = Buffer.alloc(16)
  key.writeDoubleLE(seed)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The body in chunks of a size that fits neither pieces nor blocks. */
export async function* chunksOf(bytes: Uint8Array, chunkBytes = 60_001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

export async function put(
  storage: Storage,
  path: string,
  bytes: Uint8Array | string,
  condition: Condition = 'none',
): Promise<FileRecord> {
  const body = await storage.stage(chunksOf(Buffer.from(bytes)), { sizeMax })
  const change = {
    kind: 'put',
    path: parsePathName(path),
    condition,
    body,
    meta: { mediaType: 'text/x' },
  } as const
  return (await storage.commit(change)).record as FileRecord
}

export async function bytesOf(storage: Storage, path: string): Promise<Buffer | undefined> {
  const record = await storage.find(parsePathName(path))
  return record && whole(await storage.read(record))
}

export async function whole(read: Uint8Array | Readable): Promise<Buffer> {
  return read instanceof Readable ? buffer(read) : Buffer.from(read)
}

/** An Env whose wall clock the test sets. */
export function manualEnv(): Env & { setNow(nowMs: number): void } {
  const env = realEnv()
  let now = Date.UTC(2026, 0, 1)
  return {
    ...env,
    clock: { ...env.clock, nowMs: () => now },
    setNow(nowMs) {
      now = nowMs
    },
  }
}

export function storageConformance(t: Test, open: OpenStorage): void {
  bodies(t, open)
  conditions(t, open)
  ranges(t, open)
  order(t, open)
  outcomes(t, open)
  endings(t, open)
}

function bodies(t: Test, open: OpenStorage): void {
  t.test('bodies of every size come back as they were, with size, hash and time', async t => {
    const env = manualEnv()
    const storage = await open(t, { env })
    const sizes = [0, 1, 4096, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, BLOCK_BYTES - 1, BLOCK_BYTES]
    for (const size of [...sizes, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 77]) {
      const bytes = bodyOf(size, size)
      const record = await put(storage, `sizes/${size}`, bytes)
      t.equal(record.body.size, size)
      t.equal(record.body.sha256, sha256Of(bytes))
      t.equal(record.body.blockChecksums.length, Math.ceil(size / BLOCK_BYTES))
      t.equal(record.writtenAtMs, env.clock.nowMs())
      t.same(await storage.find(record.path), record)
      t.ok(bytes.equals((await bytesOf(storage, record.path)) ?? Buffer.of(1)), `${size} bytes`)
    }
    t.match(storage.statistics(), { files: 9, staged: 0 })
  })

  t.test('nothing is visible before the commit, and a dropped body never is', async t => {
    const storage = await open(t, { env: realEnv() })
    const bytes = bodyOf(BLOCK_BYTES + 5)
    const staged = await storage.stage(chunksOf(bytes), { sizeMax })
    t.equal(storage.statistics().staged, 1)
    t.equal(await storage.find(parsePathName('a')), undefined)
    t.same([...storage.list('')], [])
    await storage.discard(staged)
    await storage.discard(staged)
    t.match(storage.statistics(), { files: 0, bytes: 0, staged: 0 })
    const change = { kind: 'put', path: parsePathName('a'), condition: 'none', body: staged } as const
    await t.rejects(storage.commit({ ...change, meta: { mediaType: '' } }), TypeError)
  })

  t.test('a committed body can be neither dropped nor committed again', async t => {
    const storage = await open(t, { env: realEnv() })
    const body = await storage.stage(chunksOf(bodyOf(10)), { sizeMax })
    const change = {
      kind: 'put',
      path: parsePathName('a'),
      condition: 'none',
      body,
      meta: { mediaType: '' },
    } as const
    await storage.commit(change)
    await t.rejects(storage.discard(body), TypeError)
    await t.rejects(storage.commit(change), TypeError)
  })

  t.test('a body over the limit, one that breaks off and one that is aborted leave nothing', async t => {
    const storage = await open(t, { env: realEnv() })
    for (const size of [100, 3 * BLOCK_BYTES]) {
      await t.rejects(storage.stage(chunksOf(bodyOf(size + 1)), { sizeMax: size }), {
        code: 'FILE_TOO_LARGE',
      })
      const exact = await storage.stage(chunksOf(bodyOf(size)), { sizeMax: size })
      await storage.discard(exact)
      const broken = async function* () {
        yield* chunksOf(bodyOf(size))
        throw new Error('cut off')
      }
      await t.rejects(storage.stage(broken(), { sizeMax }), { message: 'cut off' })
      const controller = new AbortController()
      const endless = new Readable({ read() {} })
      endless.push(bodyOf(size))
      const staging = storage.stage(endless, { sizeMax, signal: controller.signal })
      setImmediate(() => controller.abort(new Error('enough')))
      await t.rejects(staging, { message: 'enough' })
    }
    t.match(storage.statistics(), { files: 0, bytes: 0, staged: 0 })
  })

  t.test('a copy is a file of its own', async t => {
    const storage = await open(t, { env: realEnv() })
    for (const size of [10, 2 * BLOCK_BYTES + 1]) {
      const bytes = bodyOf(size)
      const source = await put(storage, 'source', bytes)
      const body = await storage.stageCopy(source)
      t.match(body, { size, sha256: source.body.sha256 })
      const path = parsePathName('copy')
      await storage.commit({ kind: 'put', path, condition: 'none', body, meta: source.meta })
      await storage.commit({ kind: 'remove', path: source.path, condition: 'none' })
      t.ok(bytes.equals((await bytesOf(storage, 'copy')) ?? Buffer.of()))
    }
    const gone = await put(storage, 'gone', bodyOf(BLOCK_BYTES))
    await put(storage, 'gone', 'other')
    await t.rejects(storage.stageCopy(gone), { code: 'FILE_NOT_FOUND' })
    await t.rejects(storage.read(gone), { code: 'FILE_NOT_FOUND' })
  })

  t.test('a body that is replaced or removed while it is read stays whole', async t => {
    const storage = await open(t, { env: realEnv() })
    const bytes = bodyOf(6 * BLOCK_BYTES + 3)
    const record = await put(storage, 'a', bytes)
    const [first, second] = [await storage.read(record), await storage.read(record)]
    await put(storage, 'a', bodyOf(6 * BLOCK_BYTES, 2))
    t.ok(bytes.equals(await whole(first)))
    await storage.commit({ kind: 'remove', path: parsePathName('a'), condition: 'none' })
    t.ok(bytes.equals(await whole(second)))
    t.match(storage.statistics(), { files: 0, bytes: 0 })
  })
}

function conditions(t: Test, open: OpenStorage): void {
  const stale = ['"1.1-00000000"' as ETag]
  const absent: [string, Condition, string | undefined][] = [
    ['put', 'none', undefined],
    ['put', 'absent', undefined],
    ['put', 'exists', 'FILE_NOT_FOUND'],
    ['put', { etags: stale }, 'PRECONDITION_FAILED'],
    ['remove', 'none', 'FILE_NOT_FOUND'],
    ['remove', 'exists', 'FILE_NOT_FOUND'],
    ['remove', { etags: stale }, 'PRECONDITION_FAILED'],
    ['move', 'none', undefined],
    ['move', 'absent', undefined],
    ['move', 'exists', 'FILE_NOT_FOUND'],
  ]
  const present: [string, Condition, string | undefined][] = [
    ['put', 'none', undefined],
    ['put', 'absent', 'FILE_EXISTS'],
    ['put', 'exists', undefined],
    ['put', { etags: [...stale] }, 'PRECONDITION_FAILED'],
    ['remove', 'none', undefined],
    ['remove', 'absent', 'FILE_EXISTS'],
    ['remove', { etags: stale }, 'PRECONDITION_FAILED'],
    ['move', 'none', undefined],
    ['move', 'absent', 'FILE_EXISTS'],
    ['move', 'exists', undefined],
    ['move', { etags: stale }, 'PRECONDITION_FAILED'],
  ]
  for (const [standing, rows] of [
    [false, absent],
    [true, present],
  ] as const) {
    for (const [kind, condition, code] of rows) {
      t.test(`${kind} if ${JSON.stringify(condition)} where ${standing ? 'a' : 'no'} file is`, async t => {
        const storage = await open(t, { env: realEnv() })
        await put(storage, 'source', 'moved')
        const before = standing ? await put(storage, 'a', 'before') : undefined
        const path = parsePathName('a')
        const committing: Promise<unknown> =
          kind === 'put'
            ? put(storage, 'a', 'after', condition)
            : kind === 'remove'
              ? storage.commit({ kind: 'remove', path, condition })
              : storage.commit({ kind: 'move', from: parsePathName('source'), path, condition })
        if (code === undefined) await committing
        else await t.rejects(committing, { code, path: 'a' })
        const expected =
          code !== undefined ? before && 'before' : { put: 'after', remove: undefined, move: 'moved' }[kind]
        t.equal((await bytesOf(storage, 'a'))?.toString(), expected)
        const moved = kind === 'move' && code === undefined
        t.equal((await bytesOf(storage, 'source'))?.toString(), moved ? undefined : 'moved')
        const kept = [expected, moved ? undefined : 'moved'].filter(body => body !== undefined)
        t.match(storage.statistics(), { files: kept.length, bytes: kept.join('').length, staged: 0 })
      })
    }
  }

  t.test('a version is greater than the one before, and a move makes one too', async t => {
    const env = manualEnv()
    const storage = await open(t, { env })
    const first = await put(storage, 'a', 'A')
    const second = await put(storage, 'a', 'B')
    const third = await put(storage, 'a', 'A', { etags: [etagOf(first), etagOf(second)] })
    t.not(etagOf(first), etagOf(third))
    env.setNow(env.clock.nowMs() + 5)
    const [from, path] = [parsePathName('a'), parsePathName('b')]
    const { record: moved } = await storage.commit({ kind: 'move', from, path, condition: 'absent' })
    const seqs = [first, second, third, moved].map(record => record?.version.seq ?? 0)
    t.same(
      seqs,
      seqs.toSorted((a, b) => a - b),
    )
    t.equal(new Set(seqs).size, 4)
    t.equal(moved?.writtenAtMs, env.clock.nowMs())
    await t.rejects(storage.commit({ kind: 'move', from, path, condition: 'none' }), {
      code: 'FILE_NOT_FOUND',
      path: 'a',
    })
    await t.rejects(storage.commit({ kind: 'move', from: path, path, condition: 'none' }), {
      code: 'INVALID_REQUEST',
    })
  })

  t.test('a large body moves with its record, and replaces the one at the destination', async t => {
    const storage = await open(t, { env: realEnv() })
    const bytes = bodyOf(3 * BLOCK_BYTES)
    const source = await put(storage, 'a', bytes)
    const target = await put(storage, 'b', bodyOf(2 * BLOCK_BYTES))
    const [from, path] = [parsePathName('a'), parsePathName('b')]
    const { previous } = await storage.commit({
      kind: 'move',
      from,
      path,
      condition: { etags: [etagOf(target)] },
    })
    t.equal(previous && etagOf(previous), etagOf(target))
    t.ok(bytes.equals((await bytesOf(storage, 'b')) ?? Buffer.of()))
    t.equal(await storage.find(from), undefined)
    await t.rejects(storage.read(target), { code: 'FILE_NOT_FOUND' })
    t.match(storage.statistics(), { files: 1, bytes: source.body.size })
  })

  t.test('of racing creates exactly one wins, and every reader sees it whole', async t => {
    const storage = await open(t, { env: realEnv() })
    const path = parsePathName('raced')
    const attempts = Array.from({ length: 10 }, (_, i) => put(storage, path, bodyOf(100_000, i), 'absent'))
    const results = await Promise.allSettled(attempts)
    const won = results.filter(result => result.status === 'fulfilled')
    t.equal(won.length, 1)
    for (const result of results) if (result.status === 'rejected') t.equal(result.reason.code, 'FILE_EXISTS')
    t.same(await storage.find(path), won[0]?.value)
    t.match(storage.statistics(), { files: 1, bytes: 100_000, staged: 0 })
  })

  t.test('of racing replaces of one version exactly one wins', async t => {
    const storage = await open(t, { env: realEnv() })
    const etags = [etagOf(await put(storage, 'raced', 'start'))]
    const attempts = Array.from({ length: 10 }, (_, i) => put(storage, 'raced', `replaced ${i}`, { etags }))
    const results = await Promise.allSettled(attempts)
    t.equal(results.filter(result => result.status === 'fulfilled').length, 1)
    for (const result of results)
      if (result.status === 'rejected') t.equal(result.reason.code, 'PRECONDITION_FAILED')
  })

  t.test('racing moves in a circle leave every file at exactly one path', async t => {
    const storage = await open(t, { env: realEnv() })
    const paths = ['a', 'b', 'c'].map(parsePathName)
    for (const path of paths) await put(storage, path, path)
    const moves = paths.map((from, i) =>
      storage.commit({ kind: 'move', from, path: paths[(i + 1) % 3] ?? from, condition: 'none' }),
    )
    await Promise.allSettled(moves)
    const left = [...storage.list('')].length
    t.equal(storage.statistics().files, left)
    t.ok(left >= 1)
  })

  t.test('a reader of a path with a commit under way sees the old file or the new one', async t => {
    const storage = await open(t, { env: realEnv() })
    await put(storage, 'a', 'old')
    const committing = put(storage, 'a', 'new')
    for (let i = 0; i < 50; i += 1) t.match((await bytesOf(storage, 'a'))?.toString(), /^(old|new)$/)
    await committing
    t.equal((await bytesOf(storage, 'a'))?.toString(), 'new')
  })
}

function ranges(t: Test, open: OpenStorage): void {
  t.test('ranges at and around the boundaries of blocks', async t => {
    const storage = await open(t, { env: realEnv() })
    for (const size of [1, 5000, 3 * BLOCK_BYTES + 10]) {
      const bytes = bodyOf(size, size)
      const record = await put(storage, `ranges/${size}`, bytes)
      const edges = [0, 1, 4999, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, size - 1]
      for (const first of edges) {
        for (const last of edges) {
          if (first > last || last >= size) continue
          const part = await whole(await storage.read(record, { first, last }))
          t.ok(part.equals(bytes.subarray(first, last + 1)), `${first}-${last} of ${size}`)
        }
      }
    }
  })

  t.test('a range that does not lie within the body is a programmer error', async t => {
    const storage = await open(t, { env: realEnv() })
    const record = await put(storage, 'a', 'abc')
    for (const [first, last] of [
      [0, 3],
      [2, 1],
      [-1, 1],
      [0.5, 1],
    ] as const) {
      await t.rejects(storage.read(record, { first, last }), TypeError)
    }
  })
}

function order(t: Test, open: OpenStorage): void {
  t.test('a list is in the order of UTF-8 bytes, under a prefix, after a path', async t => {
    const storage = await open(t, { env: realEnv() })
    // In UTF-16 the astral character would come before the last of the basic plane; in UTF-8 it comes after.
    const sorted = [
      'a',
      'a b',
      'a!',
      'a-b',
      'a/b',
      'a/b/c',
      'a/c',
      'a0',
      'b',
      'é',
      '\uff5e',
      '\u{1f600}',
      '\u{1f600}/x',
    ]
    for (const path of sorted.toReversed()) await put(storage, path, path)
    const paths = (prefix: string, after?: string) =>
      [...storage.list(prefix, after)].map(entry => entry.path as string)
    t.same(paths(''), sorted)
    t.same(paths('a'), sorted.slice(0, 8))
    t.same(paths('a/'), ['a/b', 'a/b/c', 'a/c'])
    t.same(paths('a/', 'a/b'), ['a/b/c', 'a/c'])
    t.same(paths('a/', 'a/bx'), ['a/c'])
    t.same(paths('a/', 'a'), ['a/b', 'a/b/c', 'a/c'])
    t.same(paths('', 'é'), ['\uff5e', '\u{1f600}', '\u{1f600}/x'])
    t.same(paths('', '\u{1f600}/x'), [])
    t.same(paths('a/', 'b'), [])
    t.same(paths('c'), [])
  })

  t.test('a line of the list says what the record says', async t => {
    const storage = await open(t, { env: realEnv() })
    for (const size of [3, 2 * BLOCK_BYTES]) {
      const record = await put(storage, 'a', bodyOf(size))
      const { path, writtenAtMs, meta } = record
      t.same(
        [...storage.list('')],
        [{ path, size, etag: etagOf(record), mediaType: meta.mediaType, writtenAtMs }],
      )
    }
  })

  t.test('a list goes on while files come and go', async t => {
    const storage = await open(t, { env: realEnv() })
    for (const path of ['a', 'c', 'e', 'g']) await put(storage, path, path)
    const seen: string[] = []
    for (const { path } of storage.list('')) {
      seen.push(path)
      if (path === 'a') await storage.commit({ kind: 'remove', path, condition: 'none' })
      if (path === 'c') await put(storage, 'b', 'behind')
    }
    t.same(seen, ['a', 'c', 'e', 'g'])
    t.same(
      [...storage.list('')].map(entry => entry.path),
      ['b', 'c', 'e', 'g'],
    )
  })

  t.test('a scan gives the keys of an arc, clockwise and with wrap-around', async t => {
    const storage = await open(t, { env: realEnv() })
    const paths = Array.from({ length: 40 }, (_, i) => parsePathName(`scanned/${i}`))
    for (const path of paths) await put(storage, path, path)
    const keys = paths.map(identifierOfPath).sort()
    const scanned = async (lo: string, hi: string) => {
      const found: string[] = []
      for await (const record of storage.scan(parseIdentifier(lo), parseIdentifier(hi))) {
        found.push(identifierOfPath(record.path))
      }
      return found
    }
    const [k3, k30] = [keys[3] ?? '', keys[30] ?? '']
    t.same(await scanned(k3, k30), keys.slice(4, 31))
    t.same(await scanned(k30, k3), [...keys.slice(31), ...keys.slice(0, 4)])
    t.same(await scanned(k3, k3), [...keys.slice(4), ...keys.slice(0, 4)])
    const [zero, top] = ['0'.repeat(40), 'f'.repeat(40)]
    t.same(await scanned(zero, top), keys)
    t.same(await scanned(top, zero), [])
    t.same(await scanned(zero, zero), keys)
    t.same(await scanned(top, top), keys)
  })
}

function outcomes(t: Test, open: OpenStorage): void {
  const idempotency = (key: string, fingerprint = 'PUT a') => ({
    idempotency: {
      key,
      fingerprint,
      answer: ({ record, previous }: { record: FileRecord | undefined; previous: FileRecord | undefined }) =>
        `${record?.body.size ?? 'none'} after ${previous?.body.size ?? 'none'}`,
    },
  })
  const putWith = async (
    storage: Storage,
    path: string,
    bytes: string,
    options: ReturnType<typeof idempotency>,
  ) => {
    const body = await storage.stage(chunksOf(Buffer.from(bytes)), { sizeMax })
    const meta = { mediaType: '' }
    return storage.commit(
      { kind: 'put', path: parsePathName(path), condition: 'absent', body, meta },
      options,
    )
  }

  t.test('the outcome of a key is kept with the commit and replayed', async t => {
    const storage = await open(t, { env: realEnv() })
    t.equal(await storage.outcome('k'), undefined)
    const first = await putWith(storage, 'a', '12345', idempotency('k'))
    t.equal(first.replayed, undefined)
    t.same(await storage.outcome('k'), { fingerprint: 'PUT a', answer: '5 after none' })
    const again = await putWith(storage, 'a', '12345', idempotency('k'))
    t.same(again, { record: undefined, previous: undefined, replayed: '5 after none' })
    await t.rejects(putWith(storage, 'b', '1', idempotency('k', 'PUT b')), { code: 'IDEMPOTENCY_KEY_REUSED' })
    t.match(storage.statistics(), { files: 1, bytes: 5, staged: 0 })
    const remove = { kind: 'remove', path: parsePathName('a'), condition: 'none' } as const
    await storage.commit(remove, idempotency('gone', 'DELETE a'))
    const removedAgain = await storage.commit(remove, idempotency('gone', 'DELETE a'))
    t.equal(removedAgain.replayed, 'none after 5')
  })

  t.test('a refused commit keeps no outcome', async t => {
    const storage = await open(t, { env: realEnv() })
    await put(storage, 'a', 'here')
    await t.rejects(putWith(storage, 'a', 'x', idempotency('k')), { code: 'FILE_EXISTS' })
    t.equal(await storage.outcome('k'), undefined)
  })

  t.test('of racing commits with one key, on whatever paths, one is made', async t => {
    const storage = await open(t, { env: realEnv() })
    const attempts = Array.from({ length: 8 }, (_, i) =>
      putWith(storage, `path ${i % 4}`, '123', idempotency('k')),
    )
    const results = await Promise.all(attempts)
    t.equal(results.filter(({ replayed }) => replayed === undefined).length, 1)
    t.match(storage.statistics(), { files: 1, staged: 0 })
  })

  t.test('an outcome is forgotten after its time, and makes room', async t => {
    const env = manualEnv()
    const storage = await open(t, { env, outcomesMax: 3 })
    for (const key of ['k1', 'k2', 'k3']) await putWith(storage, key, key, idempotency(key))
    await t.rejects(putWith(storage, 'k4', 'k4', idempotency('k4')), { code: 'OVERLOADED' })
    t.equal(await storage.find(parsePathName('k4')), undefined)
    env.setNow(env.clock.nowMs() + OUTCOME_KEPT_MS - 1)
    t.ok(await storage.outcome('k1'))
    env.setNow(env.clock.nowMs() + 1)
    t.equal(await storage.outcome('k1'), undefined)
    const again = await putWith(storage, 'k1 again', 'x', idempotency('k1', 'another request'))
    t.equal(again.replayed, undefined)
    await putWith(storage, 'k5', 'k5', idempotency('k5'))
    t.ok(await storage.outcome('k5'))
  })

  t.test('keys and answers out of bounds are programmer errors and change nothing', async t => {
    const storage = await open(t, { env: realEnv() })
    await t.rejects(putWith(storage, 'a', 'x', idempotency('')), TypeError)
    await t.rejects(putWith(storage, 'a', 'x', idempotency('é'.repeat(128))), TypeError)
    const long = { idempotency: { ...idempotency('k').idempotency, answer: () => 'x'.repeat(4097) } }
    await t.rejects(putWith(storage, 'a', 'x', long), TypeError)
    t.match(storage.statistics(), { files: 0, bytes: 0, staged: 0 })
  })
}

function endings(t: Test, open: OpenStorage): void {
  t.test('a closed storage ends what is being received and refuses everything', async t => {
    const storage = await open(t, { env: realEnv() })
    const record = await put(storage, 'a', 'a')
    const endless = new Readable({ read() {} })
    endless.push(bodyOf(3 * BLOCK_BYTES))
    const staging = t.rejects(storage.stage(endless, { sizeMax }), { code: 'UNAVAILABLE' })
    await storage.close()
    await staging
    const refused = { code: 'UNAVAILABLE' }
    await t.rejects(storage.find(record.path), refused)
    await t.rejects(storage.read(record), refused)
    await t.rejects(storage.stage(chunksOf(Buffer.of(1)), { sizeMax }), refused)
    await t.rejects(storage.stageCopy(record), refused)
    await t.rejects(storage.commit({ kind: 'remove', path: record.path, condition: 'none' }), refused)
    await t.rejects(storage.outcome('k'), refused)
    t.throws(() => [...storage.list('')], refused)
    await t.rejects(
      storage
        .scan(identifierOfPath(record.path), identifierOfPath(record.path))
        [Symbol.asyncIterator]()
        .next(),
      refused,
    )
    await storage.close()
  })
}
