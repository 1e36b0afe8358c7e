import t from 'tap'
import type { Message } from '../../src/replication/chain/messages.ts'
import type { Identifier, NodeId } from '../../src/ring/identifier.ts'
import { KelipsUpkeep, type KelipsUpkeepComponents } from '../../src/ring-node/kelips-upkeep.ts'
import { Kelips } from '../../src/routing/kelips/kelips.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { Suspects } from '../../src/routing/suspects.ts'
import type { View, ViewId } from '../../src/views/view.ts'
import { manualEnv } from '../manual-env.ts'
import { mapOf, record } from '../routing/any.ts'

const USED_MS = 30_000
const digits = [...'0123456789abcdef']
const at = (digit: string) => digit.padEnd(40, '0') as Identifier
const others = Array.from({ length: 300 }, (_, index) => record(`n${index}`))
const owner = others[7] as MapRecord

/** A view of each sixteenth of the ring; all are kept by one node. */
const views = digits.map((hi, index): View => {
  const lo = digits.at(index - 1) as string
  const replicas = [owner.nodeId]
  return { id: `1-${hi}` as ViewId, epoch: 1, lo: at(lo), hi: at(hi), replicas, acceptors: [], sources: [] }
})

/** A node that knows 300 others and those views, and holds none. */
function upkeep(isHeld: (id: ViewId) => boolean = () => false) {
  const env = manualEnv()
  const map = mapOf('a', others)
  const ways = { isThere: () => true, roundTripMs: () => 0 }
  const kelips = new Kelips({ map, suspects: new Suspects(), ...ways }, { copies: () => 3 })
  let known = [...views]
  const told: Message[] = []
  const asked: string[] = []
  const components = {
    kelips,
    env,
    members: {
      map,
      self: record('a'),
      addressOf: (node: NodeId) => map.record(node)?.address,
      learn: () => undefined,
      notice: () => undefined,
    },
    driver: {
      known: {
        self: record('a').nodeId,
        newest: () => known,
        held: () => [],
        state: (id: ViewId) => (isHeld(id) ? {} : undefined),
        covering: () => undefined,
      },
      dispatch: (event: { kind: string; views: readonly ViewId[] }) => {
        known = known.filter(({ id }) => !event.views.includes(id))
      },
      tellMyself: (message: Message) => told.push(message),
    },
    call: async (to: string) => {
      asked.push(to)
      return { record: owner, records: [] }
    },
    signal: new AbortController().signal,
  }
  const kept = new KelipsUpkeep(components as unknown as KelipsUpkeepComponents)
  return { kept, kelips, env, map, told, asked, known: () => known.map(({ id }) => id) }
}

t.test('views of elsewhere are forgotten after a while, those of its group never', async t => {
  const { kept, env, known } = upkeep(id => id === '1-0')
  kept.round()
  t.equal(known().length, 16, 'what was just told may be what a request waits for')
  await env.advance(USED_MS + 1)
  const used = views.filter(view => !kept.views.isKept(view) && view.id !== '1-0')[0] as View
  kept.keep(used)
  kept.round()
  const group = views.filter(view => kept.views.isKept(view)).map(({ id }) => id)
  t.ok(group.length > 0 && group.length < 8, 'a group is a part of the ring')
  t.same(new Set(known()), new Set([...group, '1-0', used.id]), 'also what it holds, and what was used')
  await env.advance(USED_MS + 1)
  kept.round()
  t.same(new Set(known()), new Set([...group, '1-0']))
})

t.test('whom a view names is not forgotten, nor whose file was read lately', async t => {
  const { kept, env, map } = upkeep()
  await env.advance(USED_MS + 1)
  const read = others.filter(({ nodeId }) => nodeId !== owner.nodeId)[3] as MapRecord
  t.equal(kept.addressOf(read.nodeId), read.address)
  kept.round()
  t.ok(map.knownCount < 200, `${map.knownCount} are known`)
  t.ok(map.record(owner.nodeId))
  t.ok(map.record(read.nodeId))
})

t.test('where a view is, those are asked in turn who should know it', async t => {
  const { kept, kelips } = upkeep()
  const message = { kind: 'where', position: at('8') } as Message
  const anybody = others[0] as MapRecord
  const asked = Array.from({ length: 8 }, () => kept.receiverOf(anybody.nodeId, message))
  t.same(new Set(asked), new Set(kelips.knowing(at('8')).map(({ nodeId }) => nodeId)))
  t.equal(kept.receiverOf(anybody.nodeId, { kind: 'ping' } as Message), anybody.nodeId)
})

t.test('whoever is asked for a view of its group asks its owner, not again at once', async t => {
  const { kept, kelips, told, env } = upkeep()
  const own = digits.map(digit => at(digit)).filter(position => kelips.answersFor(position))[0] as Identifier
  const foreign = digits.map(digit => at(digit)).find(position => !kelips.answersFor(position)) as Identifier
  kept.heard({ kind: 'where', position: foreign } as Message)
  t.same(told, [])
  kept.heard({ kind: 'where', position: own } as Message)
  kept.heard({ kind: 'where', position: own } as Message)
  t.same(told, [{ kind: 'where', position: own }])
  await env.advance(100)
  kept.heard({ kind: 'where', position: own } as Message)
  t.equal(told.length, 2)
})

t.test('a node that begins asks its neighbours, until they tell nothing new', async t => {
  const { kept, asked } = upkeep()
  await kept.learnNeighbours()
  t.ok(asked.length > 0 && asked.length <= 4, `${asked.length} were asked`)
})
