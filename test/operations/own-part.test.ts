import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { coverRing } from '../../src/operations/network-list.ts'
import { arcsHere, ownPart, partHere } from '../../src/operations/own-part.ts'
import { absentRecord } from '../../src/replication/chain/chain-record.ts'
import type { ClientRequest } from '../../src/replication/entry/requests.ts'
import { type Identifier, identifierOfPath, type NodeId } from '../../src/ring/identifier.ts'
import { type PathName, parsePathName } from '../../src/ring/path-name.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { View, ViewId } from '../../src/views/view.ts'
import { manualEnv } from '../manual-env.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'
import { put } from '../storage/conformance.ts'

t.test('a node lists the files of the ranges that it is the head of', async t => {
  const storage = new MemoryStorage({ env: realEnv() })
  const ring = foundedRing(realEnv(), storage)
  t.teardown(() => ring.close())
  await new Promise(resolve => setImmediate(resolve))
  for (const name of ['a/1', 'a/2', 'b']) await put(storage, name, 'x')
  const { known } = ring.driver
  const names = (prefix: string, limit: number, after?: string) => {
    const arcs = arcsHere(known)
    t.ok(coverRing(arcs))
    const part = partHere(storage, { prefix, after, limit }, arcs, new Set())
    return [part.lines.map(({ path }) => path), part.upTo]
  }
  t.same(names('', 10), [['a/1', 'a/2', 'b'], undefined])
  t.same(names('a/', 1), [['a/1'], 'a/1'])
  t.same(names('a/', 5, 'a/1'), [['a/2'], undefined])
  const foreign = { self: 'another' as NodeId, held: known.held }
  t.same(arcsHere(foreign), [])
})

t.test('in place of a head that gives no part its tail lists the range, and nobody else', async t => {
  const view = { lo: ZERO, hi: ZERO, epoch: 3, id: 'v', acceptors: [], sources: [] }
  const names = ['h', 'm', 't'] as NodeId[]
  const listing = (replicas: readonly NodeId[], insteadOf?: NodeId[]) =>
    names.filter(self => {
      const state = { view: { ...view, replicas }, active: true, installed: true, sealed: false, seq: 0 }
      return arcsHere({ self, held: () => [state as never] }, insteadOf).length > 0
    })
  t.same(listing(names), ['h'])
  t.same(listing(names, ['h'] as NodeId[]), ['t'])
  t.same(listing(names, ['m', 't'] as NodeId[]), [], 'the head has given its part')
  t.same(listing(['h', 't'] as NodeId[], ['h'] as NodeId[]), ['t'])
  t.same(partHere({ list: () => t.fail('nothing is looked at') as never }, ask, [], new Set()), {
    lines: [],
    levels: [],
    upTo: undefined,
  })
})

const ZERO = '0'.repeat(40) as Identifier
const MIDDLE = '8'.padEnd(40, '0') as Identifier
const ask = { prefix: '', limit: 100 }

/** The head of two views, one of each half of the ring, as it believes; `newer` are views that it hears of when it asks. */
async function head(init: {
  readonly files: readonly string[]
  readonly open?: readonly string[]
  readonly newer?: Readonly<Record<string, string>>
  readonly answer?: (request: ClientRequest) => 'value' | 'unavailable'
  readonly delimiter?: '/'
  /** Each request listens for the end of the time, as the driver does. */
  readonly listens?: boolean
}) {
  const storage = new MemoryStorage({ env: realEnv() })
  for (const name of init.files) await put(storage, name, 'x')
  const self = 'h' as NodeId
  const view = (id: string, lo: Identifier, hi: Identifier): View =>
    ({
      id: id as ViewId,
      lo,
      hi,
      epoch: 3,
      replicas: [self],
      acceptors: [self],
      sources: [],
    }) as unknown as View
  const views = [view('low', ZERO, MIDDLE), view('high', MIDDLE, ZERO)]
  const asked: ClientRequest[] = []
  const covering = (position: Identifier) => {
    const held = views.find(({ hi }) => hi === position) as View
    const id = asked.some(one => one.kind === 'get' && one.position === position)
      ? init.newer?.[held.id]
      : undefined
    return { ...held, ...(id !== undefined && { id: id as ViewId }) }
  }
  const part = ownPart(
    {
      env: manualEnv(),
      storage,
      driver: {
        known: {
          self,
          held: () => views.map(one => ({ view: one, active: true, installed: true, sealed: false, seq: 0 })),
          covering,
        } as never,
        kept: { unacknowledged: (id: ViewId) => (id === 'low' ? (init.open ?? []) : []) } as never,
        durable: async () => {},
        request: async (request, ending) => {
          if (init.listens) ending?.(() => {})
          asked.push(request)
          if (init.answer?.(request) === 'unavailable') return { kind: 'unavailable' }
          const { path } = request as { path: PathName }
          return { kind: 'value', record: absentRecord(path, identifierOfPath(path), { epoch: 1, seq: 0 }) }
        },
      },
    },
    { ...ask, delimiter: init.delimiter },
  )
  return { part, asked }
}

const names = Array.from({ length: 40 }, (_, index) => `f/${index}`).sort()
const isLow = (name: string) => identifierOfPath(parsePathName(name)) <= MIDDLE

t.test('a view that was succeeded, and one of which nobody votes, is no part of a list', async t => {
  const whole = await (await head({ files: names })).part
  t.same(
    whole.lines.map(({ path }) => path),
    names,
  )
  t.ok(coverRing(whole.arcs))
  const superseded = await (await head({ files: names, newer: { low: 'lower' } })).part
  t.same(
    superseded.lines.map(({ path }) => path),
    names.filter(name => !isLow(name)),
  )
  t.same(
    superseded.arcs.map(({ id }) => id),
    ['high'],
  )
  const silent = (request: ClientRequest) =>
    request.kind === 'get' && request.position === ZERO ? 'unavailable' : 'value'
  const unconfirmed = await (await head({ files: names, answer: silent })).part
  t.same(
    unconfirmed.arcs.map(({ id }) => id),
    ['low'],
  )
})

t.test('a file whose write no replica has acknowledged is listed as a read finds it', async t => {
  const [first = ''] = names.filter(isLow)
  const { part, asked } = await head({ files: names, open: [first, 'g'] })
  t.same(
    (await part).lines.map(({ path }) => path),
    names.filter(name => name !== first),
    'the read finds no file',
  )
  t.ok(asked.some(one => one.kind === 'get' && one.path === first && one.position === undefined))
  const unanswered = await head({
    files: names,
    open: [first],
    answer: request => (request.kind === 'get' && request.path === first ? 'unavailable' : 'value'),
  })
  await t.rejects(unanswered.part, { code: 'UNAVAILABLE', path: first })
})

t.test('a common prefix does not go with the range of the file that showed it', async t => {
  // The first file that the walk meets lies in the range that has gone, others of the folder in the one that stays.
  const [first = ''] = names
  const gone = isLow(first) ? 'low' : 'high'
  const part = await (await head({ files: names, newer: { [gone]: 'newer' }, delimiter: '/' })).part
  t.same(part.levels, ['f/'])
  t.same(part.lines, [])
  t.equal(part.arcs.length, 1)
  const open = await (await head({ files: names, open: names.filter(isLow), delimiter: '/' })).part
  t.same(open.levels, ['f/'], 'a file whose write is open shows no folder, another one does')
  const empty = names.filter(isLow)
  const none = await (await head({ files: empty, open: empty, delimiter: '/' })).part
  t.same([none.levels, none.lines], [[], []])
})

t.test('many files under way are no reason for a warning', async t => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const { part } = await head({ files: names, open: names, listens: true })
  await part
  await new Promise(resolve => setImmediate(resolve))
  t.same(warnings, [])
})
