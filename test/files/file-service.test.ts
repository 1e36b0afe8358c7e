import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { FileService, type PutOptions } from '../../src/files/file-service.ts'
import { receiptOf } from '../../src/files/receipt.ts'
import type { Address } from '../../src/ring/identifier.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { ETag } from '../../src/storage/record.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'

const a = 'a' as PathName
const b = 'b' as PathName
const big = new Uint8Array(200_000).fill(7)

function service(storage = new MemoryStorage({ env: realEnv() })) {
  const { replication } = foundedRing(realEnv(), storage, 'me:1' as Address)
  return {
    storage,
    replication,
    files: new FileService({ replication, storage }, { consistency: 'chain', fileBytesMax: 1_000_000 }),
  }
}

async function* bodyOf(...chunks: (string | Uint8Array)[]) {
  for (const chunk of chunks) yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
}

const create: PutOptions = { condition: 'absent', meta: { mediaType: 'text/plain' } }

t.test('conditions decide, and a refused body leaves nothing behind', async t => {
  const { files, storage } = service()
  const first = await files.put(a, bodyOf('one'), create)
  t.equal(first.replaced, false)
  await t.rejects(files.put(a, bodyOf('two'), create), { code: 'FILE_EXISTS' })
  await t.rejects(files.put(a, bodyOf(big), create), { code: 'FILE_EXISTS' })
  await t.rejects(files.put(b, bodyOf('x'), { ...create, condition: 'exists' }), { code: 'FILE_NOT_FOUND' })
  const wrong = { ...create, condition: { etags: ['"9.9-00000000"' as ETag] } }
  await t.rejects(files.put(a, bodyOf('x'), wrong), { code: 'PRECONDITION_FAILED' })
  const right = { ...create, condition: { etags: [receiptOf(first, files.keeping).etag] } }
  const second = await files.put(a, bodyOf('two'), right)
  t.equal(second.replaced, true)
  await t.rejects(files.put(a, bodyOf('three'), right), { code: 'PRECONDITION_FAILED' }, 'only once')
  t.equal(storage.statistics().staged, 0)
})

t.test('an early refusal never touches the body', async t => {
  const { files } = service()
  await files.put(a, bodyOf('one'), create)
  let touched = false
  const body = {
    async *[Symbol.asyncIterator]() {
      touched = true
      yield new Uint8Array(1)
    },
  }
  await t.rejects(files.put(a, body, { ...create, refuseEarly: true }), { code: 'FILE_EXISTS' })
  await t.rejects(files.put(b, body, { ...create, condition: { etags: [] }, refuseEarly: true }), {
    code: 'PRECONDITION_FAILED',
  })
  t.equal(touched, false)
})

t.test('a body that is not what its digest says is not stored', async t => {
  const { files, storage } = service()
  await t.rejects(files.put(a, bodyOf('one'), { ...create, sha256: '0'.repeat(64) }), {
    code: 'INVALID_REQUEST',
  })
  t.equal((await files.find(a)).record, undefined)
  t.equal(storage.statistics().staged, 0)
})

t.test('of ten racing creates exactly one wins', async t => {
  const { files, storage } = service()
  const all = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => files.put(a, bodyOf(`${i}`), create)),
  )
  t.equal(all.filter(({ status }) => status === 'fulfilled').length, 1)
  t.equal(storage.statistics().staged, 0)
})

t.test('one key, many requests at once: one write, the same answer for all', async t => {
  const { files, storage } = service()
  const keyed = { ...create, idempotencyKey: 'k', refuseEarly: true }
  const all = await Promise.all(Array.from({ length: 5 }, () => files.put(a, bodyOf('one'), keyed)))
  t.equal(new Set(all.map(written => JSON.stringify(written))).size, 1)
  t.same(await files.put(a, bodyOf('one'), keyed), all[0], 'and later')
  await t.rejects(files.put(a, bodyOf('two'), keyed), { code: 'IDEMPOTENCY_KEY_REUSED' })
  t.equal((await files.put(b, bodyOf('one'), keyed)).replaced, false, 'for another path it is another key')
  t.equal(storage.statistics().staged, 0)
})

t.test('retries of copy, move and remove answer the same although the world has moved on', async t => {
  const { files, storage } = service()
  await files.put(a, bodyOf(big), create)
  const copyOptions = { condition: 'absent' as const, idempotencyKey: 'copy' }
  const copies = await Promise.all(Array.from({ length: 4 }, () => files.copy(a, b, copyOptions)))
  t.equal(new Set(copies.map(written => JSON.stringify(written))).size, 1)
  await t.rejects(files.copy(a, b, { condition: 'absent' }), { code: 'FILE_EXISTS' })

  const c = 'c' as PathName
  const moveOptions = { condition: 'absent' as const, idempotencyKey: 'move' }
  const moved = await files.move(b, c, moveOptions)
  t.same(await files.move(b, c, moveOptions), moved)
  t.equal((await files.find(b)).record, undefined)

  const removeOptions = { condition: 'exists' as const, idempotencyKey: 'remove' }
  const removed = await files.remove(c, removeOptions)
  t.same(await files.remove(c, removeOptions), removed)
  await files.remove(a, { condition: 'exists' })
  t.same(await files.copy(a, b, copyOptions), copies[0], 'even without its source')
  await t.rejects(files.move(a, b, copyOptions), { code: 'IDEMPOTENCY_KEY_REUSED' })
  t.equal(storage.statistics().files, 0)
  t.equal(storage.statistics().staged, 0)
})

t.test('a copy that was refused under its key is not made by a try that comes late', async t => {
  const { files, replication, storage } = service()
  await files.put(a, bodyOf('one'), create)
  const options = { condition: 'none' as const, idempotencyKey: 'k' }
  const commit = replication.commit.bind(replication)
  let goOn: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    goOn = resolve
  })
  // The first try stands still just before it is written.
  replication.commit = async (change, how) => {
    replication.commit = commit
    await held
    return commit(change, how)
  }
  const first = files.copy(a, b, options)
  first.catch(() => undefined)
  while (replication.commit !== commit) await new Promise(resolve => setImmediate(resolve))
  await files.remove(a, { condition: 'none' })
  const missing = { code: 'FILE_NOT_FOUND', path: 'a' }
  await t.rejects(files.copy(a, b, options), missing)
  goOn()
  await t.rejects(first, missing)
  t.equal((await files.find(b)).record, undefined)
  await files.put(a, bodyOf('two'), create)
  await t.rejects(files.copy(a, b, options), missing, 'also when there is something to copy again')

  const replacing = { condition: 'exists' as const, idempotencyKey: 'e' }
  await t.rejects(files.copy(a, b, replacing), { code: 'FILE_NOT_FOUND', path: 'b' }, 'nothing to replace')

  const [trashed] = await replication.trash(a)
  await replication.forget(a, trashed === undefined ? [] : [trashed])
  const restoring = { condition: 'none' as const, idempotencyKey: 'r', to: b }
  await t.rejects(files.trash.restore(a, restoring), { code: 'FILE_NOT_FOUND' })
  await files.remove(a, { condition: 'none' })
  await t.rejects(files.trash.restore(a, restoring), { code: 'FILE_NOT_FOUND' }, 'a restoration is as a copy')
  t.equal((await files.find(b)).record, undefined)
  t.equal(storage.statistics().staged, 0)
})

t.test('copy and move refuse what makes no sense', async t => {
  const { files } = service()
  await files.put(a, bodyOf('one'), create)
  const options = { condition: 'none' as const }
  await t.rejects(files.copy(a, a, options), { code: 'INVALID_REQUEST' })
  await t.rejects(files.move(a, a, options), { code: 'INVALID_REQUEST' })
  await t.rejects(files.copy(b, a, options), { code: 'FILE_NOT_FOUND', path: 'b' })
  await t.rejects(files.move(b, a, options), { code: 'FILE_NOT_FOUND', path: 'b' })
})

t.test('a copy onto itself does not take back what somebody else has written meanwhile', async t => {
  const { files, replication } = service()
  const first = await files.put(a, bodyOf('one'), create)
  const commit = replication.commit.bind(replication)
  const meta = { user: [['color', 'red']] as const }
  for (const idempotencyKey of ['key', undefined]) {
    replication.commit = async (change, options) => {
      replication.commit = commit
      await files.put(a, bodyOf('two!'), { ...create, condition: 'exists' })
      return commit(change, options)
    }
    await t.rejects(files.copy(a, a, { condition: 'none', meta, idempotencyKey }), {
      code: 'PRECONDITION_FAILED',
    })
    t.match((await files.find(a)).record, { body: { size: 4 } })
  }
  t.match(await files.copy(a, a, { condition: 'none', meta }), { record: { body: { size: 4 } } })
  const { etag } = receiptOf(first, files.keeping)
  await t.rejects(files.copy(a, a, { condition: { etags: [etag] }, meta }), { code: 'PRECONDITION_FAILED' })
  await t.rejects(files.copy(a, a, { condition: 'absent', meta }), { code: 'FILE_EXISTS' })
})

t.test('a copy whose source is replaced under it copies the new version', async t => {
  const { files, replication } = service()
  const commit = replication.commit.bind(replication)
  let replacements = 0
  replication.commit = async (change, options) => {
    if (change.path === b && replacements++ === 0) {
      await files.put(a, bodyOf('two!'), { ...create, condition: 'exists' })
      throw new StoreError('FILE_NOT_FOUND', 'replaced')
    }
    return commit(change, options)
  }
  await files.put(a, bodyOf('one'), create)
  t.match(await files.copy(a, b, { condition: 'absent' }), { replaced: false, record: { body: { size: 4 } } })
  t.equal(replacements, 2)
})
