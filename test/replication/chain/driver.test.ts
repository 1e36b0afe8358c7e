import t from 'tap'
import { StoreError } from '../../../src/errors.ts'
import type { Defect } from '../../../src/invariant.ts'
import { ChainDriver } from '../../../src/replication/chain/driver.ts'
import type { Message } from '../../../src/replication/chain/messages.ts'
import { batchOf } from '../../../src/replication/chain/stable-state.ts'
import type { ClientRequest } from '../../../src/replication/entry/requests.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import type { BlobId, Body } from '../../../src/storage/record.ts'
import { freshState, type NodeId } from '../../../src/views/view.ts'
import { manualEnv } from '../../manual-env.ts'
import { path, SETTINGS, wholeView } from './bench.ts'
import { type GatedStore, gatedStore } from './gated-store.ts'

const self = 'me' as NodeId
const other = 'other' as NodeId
const inline = (text: string): Body => ({
  size: text.length,
  sha256: text,
  blockChecksums: [],
  content: { inline: Buffer.from(text) },
})

function put(name: string, body = inline('x')): ClientRequest {
  const meta = { mediaType: '' }
  return { kind: 'put', path: path(name), body, meta, writtenAtMs: 0, condition: 'none' }
}

function driverOn(store: GatedStore, diskBoot = 1) {
  const env = manualEnv()
  const sent: [NodeId, Message['kind']][] = []
  const restarts: number[] = []
  const defects: Defect[] = []
  const driver: ChainDriver = new ChainDriver(
    { env, store, send: (to, { kind }) => sent.push([to, kind]) },
    {
      self,
      diskBoot,
      settings: { ...SETTINGS, minReplicas: 1 },
      halted() {},
      broken: defect => defects.push(defect),
      restarted: () => restarts.push(driver.machine.boot.counter),
    },
  )
  return { env, driver, sent, restarts, defects }
}

/** A network of one that has taken its first writes. */
async function founded(init: { readonly open: boolean } = { open: true }) {
  const store = gatedStore({ open: true })
  const running = driverOn(store)
  running.driver.dispatch({ kind: 'found', identifiers: ['8'.padEnd(40, '0') as Identifier] })
  running.driver.start()
  await running.env.advance(1)
  store.open = init.open
  return { store, ...running }
}

function message(text: Message, counter = 1): Parameters<ChainDriver['dispatch']>[0] {
  return {
    kind: 'message',
    envelope: { from: other, boot: { counter, nonce: 'a' }, to: self, message: text },
  }
}

t.test('no effect leaves before its writes and all earlier ones are durable', async t => {
  const { store, driver, sent } = await founded({ open: false })
  driver.dispatch(message({ kind: 'ping' }))
  driver.dispatch(message({ kind: 'suspect', node: 'third' as NodeId }))
  await new Promise(resolve => setImmediate(resolve))
  t.same(sent, [], 'the second step wrote nothing, and still does not overtake the first')
  t.equal(store.waiting.length, 1)
  driver.dispatch(message({ kind: 'ping' }, 2))
  await store.pass()
  t.same(sent, [
    [other, 'pong'],
    ['third', 'ping'],
  ])
  await store.pass()
  t.same(sent.slice(2), [[other, 'pong']])
  driver.dispatch(message({ kind: 'ping' }, 2))
  t.same(sent.slice(3), [[other, 'pong']], 'what waits for nothing leaves at once')
})

t.test('reads that arrive in one turn are confirmed together', async t => {
  const { driver, sent } = await founded()
  const third = 'third' as NodeId
  const nodes = { replicas: [other], acceptors: [other, third, 'fourth' as NodeId] }
  driver.dispatch(message({ kind: 'teach', views: [{ ...wholeView([], [], 'v9', 9), ...nodes }] }))
  sent.length = 0
  const reads = ['a', 'b'].map(name => driver.request({ kind: 'get', path: path(name) }))
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(
    sent.filter(([, kind]) => kind === 'read'),
    [
      [other, 'read'],
      [other, 'read'],
    ],
  )
  t.equal(sent.filter(([, kind]) => kind === 'confirm').length, 1)
  driver.close()
  t.same(await Promise.all(reads), [{ kind: 'indeterminate' }, { kind: 'indeterminate' }])
})

t.test('a read that has not had its turn when the driver closes is answered', async t => {
  const { driver } = await founded()
  const read = driver.request({ kind: 'get', path: path('a') })
  driver.close()
  t.same(await read, { kind: 'indeterminate' })
})

t.test('what one turn writes becomes durable together', async t => {
  const { store, driver } = await founded({ open: false })
  const outcomes = Promise.all(['a', 'b', 'c'].map(name => driver.request(put(name))))
  await new Promise(resolve => setImmediate(resolve))
  t.equal(store.waiting.length, 1)
  t.equal(store.waiting[0]?.records.length, 3)
  await store.pass()
  t.same(
    (await outcomes).map(({ kind }) => kind),
    ['done', 'done', 'done'],
  )
})

t.test(
  'a refused batch takes all later ones with it, and the machine starts again from the disk',
  async t => {
    const { store, driver, env, restarts } = await founded()
    await driver.request(put('before'))
    const { boot } = driver.machine
    store.open = false
    const refused = driver.request(put('refused'))
    await new Promise(resolve => setImmediate(resolve))
    const later = driver.request(put('later'))
    const fault = new StoreError('DISK_FULL', 'full')
    await store.refuse(fault)
    t.equal((await refused).kind, 'indeterminate')
    t.equal((await later).kind, 'indeterminate')
    t.equal(store.waiting.length, 0, 'nothing later is written')
    await t.rejects(driver.request(put('x')), { code: 'DISK_FULL' })
    t.equal(driver.readAtOnce(path('before')), undefined)
    driver.dispatch(message({ kind: 'ping' }))
    t.equal(store.waiting.length, 0)

    store.open = true
    await env.advance(1_000)
    t.same(restarts, [boot.counter + 1])
    t.not(driver.machine.boot.nonce, boot.nonce)
    t.equal(driver.fault, undefined)
    const [before, after] = [
      await driver.request({ kind: 'get', path: path('before') }),
      await driver.request({ kind: 'get', path: path('refused') }),
    ]
    t.match(before, { kind: 'value', record: { body: { size: 1 } } })
    t.match(after, { kind: 'value', record: { body: undefined } })
    t.equal((await driver.request(put('again'))).kind, 'done')
  },
)

t.test(
  'a disk that stays full is tried ever more rarely, and nothing starts until it takes a write',
  async t => {
    const { store, driver, env, restarts } = await founded({ open: false })
    void driver.request(put('a'))
    await store.refuse(new StoreError('DISK_FULL', 'full'))
    let trials = 0
    for (let second = 0; second < 3600; second++) {
      await env.advance(1_000)
      while (store.waiting.length > 0) {
        trials++
        await store.refuse(new StoreError('INDETERMINATE', 'worse'))
      }
    }
    t.ok(trials > 55 && trials < 80, `${trials} trials in an hour`)
    t.same(restarts, [])
    await t.rejects(driver.request(put('b')), { code: 'DISK_FULL' })
    store.open = true
    await env.advance(120_000)
    t.equal(restarts.length, 1)
    t.equal((await driver.request(put('b'))).kind, 'done')
  },
)

t.test('a disk that fails otherwise is UNAVAILABLE; closing ends what is under way', async t => {
  const { store, driver } = await founded({ open: false })
  void driver.request(put('a'))
  await store.refuse(new StoreError('INDETERMINATE', 'io'))
  await t.rejects(driver.request(put('a')), { code: 'UNAVAILABLE' })
  driver.close()
  const second = await founded({ open: false })
  const pending = second.driver.request(put('a'))
  second.driver.close()
  t.equal((await pending).kind, 'indeterminate')
  await t.rejects(second.driver.request(put('a')), { code: 'UNAVAILABLE' })
  t.equal(second.env.waiting, 0, 'no timer is left')
})

t.test('a step that throws is a defect and no fault of the disk: nothing leaves any more', async t => {
  const { driver, env, restarts, defects, sent, store } = await founded({ open: false })
  const writing = driver.request(put('a'))
  const telling = t.rejects(driver.durable(), { code: 'UNAVAILABLE' })
  driver.dispatch(message({ kind: 'confirm', tag: 't', views: undefined } as never))
  t.match(defects, [{ error: { name: 'TypeError' }, event: 'message confirm' }])
  t.equal(driver.fault, undefined)
  t.equal((await writing).kind, 'indeterminate')
  await telling
  await t.rejects(driver.request(put('a')), { code: 'UNAVAILABLE' })
  t.equal(driver.readAtOnce(path('a')), undefined)
  driver.dispatch(message({ kind: 'ping' }))
  await store.pass()
  await env.advance(100_000)
  t.same([sent, restarts], [[], []])
  t.equal(defects.length, 1)
})

t.test('a store that refuses a batch because the program is wrong is a defect, too', async t => {
  const { driver, store, defects } = await founded({ open: false })
  const writing = driver.request(put('a'))
  await store.refuse(new TypeError('a is not new'))
  t.match(defects, [{ event: 'commit' }])
  t.equal(driver.fault, undefined)
  t.equal((await writing).kind, 'indeterminate')
})

t.test('a record that the disk does not give is a fault of the disk', async t => {
  const { driver, env, store, restarts, defects } = await founded()
  const { record } = store
  Object.assign(store, {
    record() {
      throw Object.assign(new Error('MDB_CORRUPTED'), { code: -30796 })
    },
  })
  t.equal((await driver.request(put('a'))).kind, 'indeterminate')
  t.match(driver.fault, { code: 'UNAVAILABLE' })
  t.same(defects, [])
  Object.assign(store, { record })
  await env.advance(1_000)
  t.equal(restarts.length, 1)
  t.equal((await driver.request(put('a'))).kind, 'done')
})

/** A node whose vote alone decides, with another one that has not acknowledged a write and is dead since. */
async function aloneAfterDeath() {
  const store = gatedStore({ open: true })
  const view = wholeView([self, other], [self], 'v5', 5)
  const state = { ...freshState(view), installed: true, active: true, complete: true }
  await store.apply({ records: [], ...batchOf([{ kind: 'view', id: view.id, state }]) })
  const running = driverOn(store)
  const { driver, env } = running
  const members = [self, other].map((node, index) => {
    return { node, identifiers: [`${index}`.repeat(40) as Identifier], status: 'member' } as const
  })
  driver.dispatch({ kind: 'members', members })
  driver.start()
  void driver.request(put('a'))
  await env.advance(1)
  store.open = false
  for (let signs = 0; signs <= SETTINGS.silencesMax; signs++)
    driver.dispatch({ kind: 'unreachable', node: other })
  return { store, ...running }
}

t.test('nothing is read at once in a view that is not durable', async t => {
  const { driver, env, store } = await aloneAfterDeath()
  t.equal(driver.readAtOnce(path('a')), undefined, 'the other replica has not acknowledged it')
  await env.advance(SETTINGS.retryMs)
  t.same(driver.machine.table.all()[0]?.replicas, [self], 'decided, installed and active within one step')
  t.equal(driver.readAtOnce(path('a')), undefined, 'a crash at this moment takes the view back')
  let isTold = false
  const told = driver.durable().then(() => {
    isTold = true
  })
  await new Promise(resolve => setImmediate(resolve))
  t.notOk(isTold)
  while (store.waiting.length > 0) await store.pass()
  await told
  t.match(driver.readAtOnce(path('a')), { body: { size: 1 } })
})

t.test('writes at other paths do not hold up reads at once', async t => {
  const { driver, store } = await founded()
  await driver.request(put('a'))
  store.open = false
  void driver.request(put('b'))
  await new Promise(resolve => setImmediate(resolve))
  t.equal(store.waiting.length, 1)
  t.match(driver.readAtOnce(path('a')), { body: { size: 1 } })
  t.equal(driver.readAtOnce(path('b')), undefined)
  driver.close()
})

t.test('staged bodies expire by themselves; nothing ticks when there are none', async t => {
  const { driver, env, store, sent } = await founded()
  await env.advance(30 * 60_000)
  t.equal(env.waiting, 0, 'an idle node has no timer')
  t.same(sent, [], 'and sends nothing')
  const blobId = 'b'.repeat(32) as BlobId
  driver.dispatch(message({ kind: 'blob', blob: { blobId, sha256: 's' } }))
  await env.advance(1)
  t.ok(driver.machine.blobs.has(blobId))
  await env.advance(SETTINGS.stagedMs + 120_000)
  t.notOk(driver.machine.blobs.has(blobId))
  t.same(store.applied.at(-1)?.dropBlobs, [blobId])
  t.equal(env.waiting, 0)
})

t.test('tombstones are collected after a thousand removals', async t => {
  const { driver, env } = await founded()
  const zero = '0'.repeat(40) as Identifier
  const tombstones = () => [...driver.machine.records.tombstones({ lo: zero, hi: zero })].length
  for (let i = 0; i < 999; i++) {
    await driver.request(put(`f${i}`))
    await driver.request({ kind: 'remove', path: path(`f${i}`), condition: 'none' })
  }
  await env.advance(60_000)
  t.equal(tombstones(), 999)
  await driver.request(put('last'))
  await driver.request({ kind: 'remove', path: path('last'), condition: 'none' })
  await env.advance(60_000)
  t.equal(tombstones(), 0)
  t.equal(env.waiting, 0)
})

t.test('a later start of the process has a greater boot than any start of the machine before', async t => {
  const store = gatedStore({ open: true })
  const first = driverOn(store, 1).driver.machine.boot.counter
  const second = driverOn(store, 2).driver.machine.boot.counter
  t.ok(second >= first + 1_000_000)
})

t.test('the timers of requests that are done do not add up', async t => {
  const { driver } = await founded()
  for (let i = 0; i < 20_000; i++) await driver.request({ kind: 'get', path: path('a') })
  t.ok(driver.timers < 5_000, `${driver.timers} wait`)
})

t.test('a body that the disk refuses takes the node out until a body is taken again', async t => {
  let tries = 0
  const store = {
    ...gatedStore({ open: true }),
    tryBody: async () => {
      if (++tries < 3) throw new StoreError('UNAVAILABLE', 'still')
    },
  }
  const { driver, env } = driverOn(store)
  driver.bodyRefused(new StoreError('UNAVAILABLE', 'The sender of a body stands still.'))
  t.equal(driver.fault, undefined)
  driver.bodyRefused(
    new StoreError('UNAVAILABLE', 'x', { cause: Object.assign(new Error('x'), { code: 'EROFS' }) }),
  )
  t.match(driver.fault, { code: 'UNAVAILABLE' })
  await env.advance(10_000)
  t.same([driver.fault, tries], [undefined, 3])
  const full = new StoreError('DISK_FULL', 'No space is left on the disk.')
  driver.bodyRefused(full, 1)
  t.equal(driver.fault, undefined, 'who is needed goes on')
  driver.bodyRefused(full, 2)
  t.match(driver.fault, { code: 'DISK_FULL' })
  await env.advance(10_000)
  t.equal(driver.fault, undefined)
  driver.close()
})

t.test('nobody waits for a disk that hangs, and all goes on when it does', async t => {
  const { store, driver, env } = await founded({ open: false })
  const written = driver.request(put('a'))
  const durable = t.rejects(driver.durable(), { message: 'it hangs' })
  while (store.waiting.length === 0) await new Promise(resolve => setImmediate(resolve))
  driver.diskHangs(new StoreError('UNAVAILABLE', 'it hangs'))
  driver.diskHangs(new StoreError('UNAVAILABLE', 'it hangs more'))
  t.equal((await written).kind, 'indeterminate')
  await durable
  await t.rejects(driver.request(put('b')), { message: 'it hangs' }, 'who comes now is told why')
  await env.advance(60_000)
  t.match(driver.fault, { message: 'it hangs' }, 'as long as it hangs')
  store.open = true
  await store.pass()
  while (driver.fault !== undefined) {
    await store.pass()
    await env.advance(1)
  }
  t.equal((await driver.request(put('b'))).kind, 'done')
  driver.close()
})
