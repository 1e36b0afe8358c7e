import { Readable } from 'node:stream'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { verifyFiles } from '../../src/files/verification.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { FileRecord } from '../../src/storage/record.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { put, remove } from '../storage/conformance.ts'

const env = realEnv()

/** Storage whose `read` is replaced for some paths. */
function withRead(
  storage: Storage,
  read: (record: FileRecord) => Promise<Uint8Array | Readable> | undefined,
): Storage {
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'read') return (record: FileRecord) => read(record) ?? target.read(record)
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function words(storage: Storage, clock = env.clock) {
  const list: object[] = []
  for await (const word of verifyFiles({ storage, clock })) list.push(word)
  return list
}

t.test('all is well', async t => {
  const storage = new MemoryStorage({ env })
  t.same(await words(storage), [{ files: 0, bytes: 0, damaged: 0, done: true }])
  await put(storage, 'a', 'hello')
  await put(storage, 'b', Buffer.alloc(3_000_000))
  t.same(await words(storage), [{ files: 2, bytes: 3_000_005, damaged: 0, done: true }])
})

t.test('damage of each kind is told, and the rest is checked', async t => {
  const storage = new MemoryStorage({ env })
  for (const path of ['bad block', 'gone', 'good', 'other bytes']) await put(storage, path, path)
  const damaged = withRead(storage, ({ path }) => {
    if (path === 'bad block') return Promise.reject(new StoreError('CORRUPT', 'A block is bad.'))
    if (path === 'gone') return Promise.reject(new StoreError('FILE_NOT_FOUND', 'Its bytes are gone.'))
    if (path === 'other bytes') return Promise.resolve(Readable.from([Buffer.from('evil')]))
    return undefined
  })
  t.match(await words(damaged), [
    { path: 'bad block', code: 'CORRUPT', message: 'A block is bad.' },
    { path: 'gone', code: 'CORRUPT', message: 'Its bytes are gone.' },
    { path: 'other bytes', code: 'CORRUPT', message: /SHA-256/ },
    { files: 4, damaged: 3, done: true },
  ])
})

t.test('a file that is replaced or removed while it is read is no damage', async t => {
  const storage = new MemoryStorage({ env })
  await put(storage, 'removed', '1')
  await put(storage, 'replaced', '1')
  let tries = 0
  const moving = withRead(storage, ({ path, body }) => {
    if (body.size === 3) return undefined
    return (async () => {
      tries += 1
      if (path === 'replaced') await put(storage, path, 'new')
      else await remove(storage, path)
      throw new StoreError('FILE_NOT_FOUND', 'This version is gone.')
    })()
  })
  t.match(await words(moving), [{ files: 2, bytes: 3, damaged: 0, done: true }])
  t.equal(tries, 2)
})

t.test('what is no damage ends the check: it would not be complete', async t => {
  const storage = new MemoryStorage({ env })
  await put(storage, 'a', '1')
  const failing = withRead(storage, () => Promise.reject(new Error('EIO')))
  await t.rejects(words(failing), { message: 'EIO' })
})

t.test('progress every second, within a large file too', async t => {
  const storage = new MemoryStorage({ env })
  await put(storage, 'a', 'abcdef')
  let nowMs = 0
  const clock = { nowMs: () => 0, monotonicMs: () => nowMs }
  const slow = withRead(storage, () =>
    Promise.resolve(
      Readable.from(
        (async function* () {
          for (const letter of 'abcdef') {
            nowMs += 400
            yield Buffer.from(letter)
          }
        })(),
        { highWaterMark: 0 },
      ),
    ),
  )
  const all = await words(slow, clock)
  t.ok(all.length >= 2, `${all.length} words`)
  t.match(all.at(-1), { files: 1, bytes: 6, done: true })
  t.match(all[0], { files: 0, done: false })
})
