/**
 * The same as guards.test.ts for requests: what a head and the keepers of bodies do not do.
 */
import t from 'tap'
import { expireBodies, preCopied } from '../../../src/replication/chain/bodies.ts'
import { chainOf } from '../../../src/replication/chain/chain-of-view.ts'
import {
  absentRecord,
  type ChainRecord,
  type KeyOutcome,
  type RequestId,
} from '../../../src/replication/chain/chain-record.ts'
import { dropRecord, putRecord } from '../../../src/replication/chain/machine-state.ts'
import type { Message, Tag, WriteRequest } from '../../../src/replication/chain/messages.ts'
import { KEYS_PER_PATH_MAX } from '../../../src/replication/chain/outcomes.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { asSource, freshState, type View, type ViewState } from '../../../src/views/view.ts'
import { Bench, inline, large, node, path, wholeView } from './bench.ts'

const THREE = ['n1', 'n2', 'n3']
const V1 = wholeView(THREE)
const V2: View = { ...wholeView(THREE, THREE, 'v2', 2), sources: [asSource(V1)] }

const at = path('a')
const position = identifierOfPath(at)
const meta = { mediaType: 'text/plain' }
const tag = 'tag' as Tag

function recordOf(seq: number, change: Partial<ChainRecord> = {}): ChainRecord {
  const version = { epoch: 1, seq }
  const file = { body: inline(`w${seq}`), meta, written: { version, requestId: `w${seq}` as RequestId } }
  return { ...absentRecord(at, position, version), ...file, ...change }
}

function set(bench: Bench, name: string, view: View, change: Partial<ViewState>): void {
  const before = bench.machine(name).views.get(view.id) ?? freshState(view)
  bench.machine(name).views.set(view.id, { ...before, ...change })
}

function listen(bench: Bench): { to: string; message: Message }[] {
  const heard: { to: string; message: Message }[] = []
  bench.lose = ({ to, message }) => heard.push({ to, message }) > 0
  return heard
}

const put: WriteRequest = {
  path: at,
  position,
  requestId: 'r1' as RequestId,
  operation: { kind: 'put', body: inline('new'), meta, writtenAtMs: 0 },
  condition: 'none',
}

/** What the head answers to a write at the version that stands there; `undefined` while it waits for the chain. */
function answerTo(bench: Bench, change: Partial<WriteRequest>, name = 'n1'): Message | undefined {
  const version = bench.machine(name).records.get(at)?.version ?? { epoch: 0, seq: 0 }
  const heard = listen(bench)
  const request = { ...put, ...change }
  bench.deliver('n2', name, {
    kind: 'write',
    tag,
    viewId: V1.id,
    request,
    binding: { kind: 'expected', version },
  })
  return heard.find(({ to, message }) => to === 'n2' && message.kind !== 'pass' && message.kind !== 'confirm')
    ?.message
}

/** A bench whose head keeps this record, from before its view. */
function keeping(change: Partial<ChainRecord>): Bench {
  const bench = new Bench({ nodes: THREE })
  bench.machine('n1').records.put(recordOf(1, { version: { epoch: 0, seq: 1 }, ...change }))
  return bench
}

const outcome = (change: Partial<KeyOutcome> = {}): KeyOutcome => ({
  ...{ key: 'k', fingerprint: 'f', expiresAtMs: Number.MAX_SAFE_INTEGER },
  ...{ version: { epoch: 0, seq: 1 }, refused: false, replaced: false, file: undefined },
  ...change,
})
const { key, fingerprint, expiresAtMs } = outcome()
const underKey = { key: { key, fingerprint, expiresAtMs } }

t.test('a file that is being moved is not written', async t => {
  const intent = {
    moveId: 'm' as RequestId,
    destination: path('b'),
    destinationVersion: { epoch: 0, seq: 0 },
  }
  t.match(answerTo(keeping({ intent }), {}), { kind: 'unsettled' })
})

t.test('a failed condition is not told before the view is confirmed', async t => {
  t.equal(answerTo(keeping({}), { condition: 'absent' }), undefined)
})

t.test('the copy of a move is not the one that was made under the same key before', async t => {
  const bench = keeping({ outcomes: [outcome()] })
  t.equal(answerTo(bench, { ...underKey, settles: 'm2' as RequestId }), undefined)
  t.equal(bench.machine('n1').records.get(at)?.body?.sha256, 'new')
})

t.test(
  'a refusal is told again under its key, and one key more than there is room for is refused',
  async t => {
    t.match(answerTo(keeping({ outcomes: [outcome({ refused: true })] }), underKey), { kind: 'failed' })
    const outcomes = Array.from({ length: KEYS_PER_PATH_MAX }, (_, index) =>
      outcome({ key: `other ${index}` }),
    )
    t.match(answerTo(keeping({ outcomes }), underKey), { kind: 'key-refused', reason: 'too-many' })
  },
)

t.test('the mark of what is clean does not go beyond what was acknowledged', async t => {
  const bench = keeping({})
  answerTo(bench, {})
  t.match(bench.state('n1'), { seq: 1, clean: 0 })
})

t.test('a head refuses what it cannot store', async t => {
  const operation = { kind: 'put', body: large('b'), meta, writtenAtMs: 0 } as const
  t.match(answerTo(keeping({}), { operation }), { kind: 'refused', reason: 'body-missing' })
  const busy = keeping({})
  const { dirty } = chainOf(busy.machine('n1'), busy.state('n1'))
  for (let index = 0; index < 4_096; index++) dirty.set(path(`d${index}`), { first: 1, last: 1 })
  t.match(answerTo(busy, {}), { kind: 'refused', reason: 'overloaded' })
})

t.test('nothing is not removed', async t => {
  const bench = keeping({ body: undefined, meta: undefined, written: undefined })
  t.equal(answerTo(bench, { operation: { kind: 'remove' } }), undefined, 'not before it is confirmed')
  t.equal(bench.state('n1').seq, 0, 'nothing was written')
})

t.test('only the serving head takes writes', async t => {
  t.match(answerTo(new Bench({ nodes: THREE }), {}, 'n3'), { kind: 'refused', reason: 'not-head' })
  const inactive = new Bench({ nodes: THREE })
  set(inactive, 'n1', V1, { active: false })
  t.match(answerTo(inactive, {}), { kind: 'refused', reason: 'not-active' })
})

t.test(
  'a body that a record names does not expire, and one that comes to a sealed view is not kept',
  async t => {
    const bench = new Bench({ nodes: THREE })
    const machine = bench.machine('n1')
    const blob = { blobId: 'b' as BlobId, sha256: 'b' }
    putRecord(machine, recordOf(1, { body: large('b') }))
    listen(bench)
    bench.deliver('n2', 'n1', { kind: 'blob', blob })
    t.equal(machine.blobs.get(blob.blobId)?.stagedUntilMs, undefined)
    machine.blobs.set(blob.blobId, {
      blob,
      stagedUntilMs: undefined,
      replacedBy: { path: at, version: { epoch: 1, seq: 1 } },
    })
    expireBodies(machine)
    t.ok(machine.blobs.has(blob.blobId), 'though it was replaced at another path')
    putRecord(machine, {
      ...recordOf(2, { body: large('b') }),
      path: path('b'),
      position: identifierOfPath(path('b')),
    })
    dropRecord(machine, recordOf(1, { body: large('b') }))
    t.ok(machine.blobs.has(blob.blobId), 'another record names it')
    set(bench, 'n2', V1, { sealed: true })
    bench.deliver('n1', 'n2', { kind: 'stage-on', tag, entry: node('n1'), viewId: V1.id, blob })
    t.notOk(bench.machine('n2').blobs.has(blob.blobId))
  },
)

t.test('a range is complete when it serves', async t => {
  const bench = new Bench({ nodes: THREE })
  const machine = bench.machine('n2')
  putRecord(machine, recordOf(1, { body: large('b') }))
  bench.event('n2', { kind: 'collect' })
  const heard = listen(bench)
  set(bench, 'n2', V2, { installed: true })
  bench.deliver('n1', 'n2', { kind: 'complete', view: V2 })
  t.notOk(bench.state('n2', 'v2').complete)
  set(bench, 'n2', V1, { complete: false })
  bench.machine('n2').members = new Map(bench.members(...THREE).map(member => [member.node, member]))
  heard.length = 0
  for (const name of THREE) bench.deliver(name, 'n2', { kind: 'back-filled', viewId: V1.id })
  t.notOk(
    heard.some(({ message }) => message.kind === 'complete'),
    'only the head says so',
  )
})

t.test('who learns of a death looks at every range that it shares with the dead', async t => {
  const bench = new Bench({ nodes: THREE })
  const machine = bench.machine('n1')
  machine.members = new Map(bench.members(...THREE).map(member => [member.node, member]))
  listen(bench)
  for (let signs = 0; signs < 5; signs++) bench.event('n1', { kind: 'unreachable', node: node('n3') })
  t.ok(machine.suspects.has(node('n3')))
  t.ok(machine.series.repair.has(V1.id))
})

t.test(
  'a range is copied without a body that none of its replicas has, and with one that any of them has',
  async t => {
    const wanted = { blobId: 'b' as BlobId, sha256: 'b' }
    const bench = new Bench({ nodes: [...THREE, 'n4'], view: V1 })
    const machine = bench.machine('n4')
    putRecord(machine, recordOf(1, { body: large('b') }))
    const askAgain = () => {
      machine.effects = []
      preCopied(machine, V1, node('n1'))
      return machine.effects.map(effect => effect.kind === 'send' && `${effect.to} ${effect.message.kind}`)
    }
    const asked = new Set([...askAgain(), ...askAgain(), ...askAgain()])
    t.same([...asked].sort(), ['n1 blob-wanted', 'n2 blob-wanted', 'n3 blob-wanted'], 'one after the other')
    bench.deliver('n1', 'n4', { kind: 'blob-missing', blob: wanted })
    t.notOk([...askAgain(), ...askAgain()].includes('n1 pre-copied'), 'another replica may have it')
    bench.deliver('n2', 'n4', { kind: 'blob-missing', blob: wanted })
    t.same(askAgain(), ['n3 blob-wanted'])
    bench.deliver('n3', 'n4', { kind: 'blob-missing', blob: wanted })
    t.same(askAgain(), ['n1 pre-copied'])
  },
)

t.test('a view is complete as soon as nothing names the body any more that nobody has', async t => {
  const bench = new Bench({ nodes: THREE })
  for (const name of THREE) {
    putRecord(bench.machine(name), recordOf(0, { version: { epoch: 0, seq: 1 }, body: large('b') }))
    set(bench, name, V1, { complete: false })
  }
  const missing = { kind: 'blob-missing', blob: { blobId: 'b' as BlobId, sha256: 'b' } } as const
  for (const name of THREE) {
    bench.event(name, { kind: 'members', members: bench.members(...THREE) })
    bench.deliver('n1', name, missing)
  }
  bench.run()
  t.notOk(bench.state('n1', V1.id).complete)
  bench.put('n2', 'w', at, 'none', inline('new'))
  t.match(bench.answers.get('w'), { kind: 'done' })
  t.ok(bench.state('n1', V1.id).complete)
})
