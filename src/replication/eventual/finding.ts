/**
 * Where a file is found in a network with eventual consistency: who may take a write, whom a read asks, and what all of them have together. A read leaves
 * those who are behind brought up to date.
 */
import type { Env } from '../../env.ts'
import { type ErrorCode, errorCode, StoreError } from '../../errors.ts'
import { type Address, type Identifier, identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Condition } from '../replication.ts'
import type { EventualAsks, EventualPeers, Memory, Responsibility } from './eventual-calls.ts'
import type { EventualNode } from './eventual-node.ts'
import { type EventualRecord, etagOfSibling, merge } from './eventual-record.ts'

/** Reads whose files are compared with another replica afterwards, at once; of more the others are not. */
const REPAIRS_MAX = 4

/** Nodes beyond the replicas that a write is offered to, or where a hint is looked for. */
const OTHERS_MAX = 4

/** Who gave files whose large bodies may lie nowhere else yet. */
const GIVERS_MAX = 1_000

/** How often one request looks up who keeps its path because it has met former replicas. */
export const LOOKS_MAX = 2

/** How long a read that has heard from no replica waits for such a look-up, ms. */
const LOST_LOOK_MS = 1_500

/** Reads that wait for one, at once; of more the others end without. */
const LOST_LOOKS_MAX = 4

/** Asks for a node's memory. */
const NOTHING_TOLD = { records: [], memory: '' as Memory }

export interface FindingComponents {
  readonly env: Env
  readonly node: EventualNode
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
  /** Finds out who keeps a path when this node does not know. */
  readonly lookup: (path: PathName) => Promise<readonly Address[]>
  /** Live nodes that follow a position on the ring, those who keep it included. */
  readonly following: (position: Identifier) => readonly NodeId[]
}

export class Finding {
  readonly #components: FindingComponents
  readonly #self: NodeId
  readonly #givers = new Map<PathName, NodeId>()
  #turn = 0
  #repairs = 0
  #lostLooks = 0

  constructor(components: FindingComponents) {
    this.#components = components
    this.#self = components.responsibility.self
  }

  /** Who has given a file whose body may lie there alone. */
  giverOf(path: PathName): NodeId | undefined {
    return this.#givers.get(path)
  }

  /** What the first node has that has anything of a path; and who was asked. @throws StoreError UNAVAILABLE. */
  async find(path: PathName): Promise<{ record: EventualRecord | undefined; visited: NodeId[] }> {
    const { node, peers, responsibility } = this.#components
    const position = identifierOfPath(path)
    const here = this.#here(path)
    // Who has just come back asks others first; so does who keeps a hint, or a tombstone of a range that it had: nobody brings it up to date.
    const isReplica = () => responsibility.replicasOf(position).includes(this.#self)
    if (here !== undefined && isReplica() && !node.syncing.isBehind(position)) {
      this.#repairLater(path, position)
      return { record: here, visited: [] }
    }
    // Who knows no replica looks them up before it asks anybody.
    let mayLook = responsibility.replicasOf(position).length > 0
    const visited = await this.reach(path, position)
    // The replicas by turns.
    this.#turn++
    let answered = isReplica()
    let fault: unknown
    let looks = 0
    // What somebody has who keeps it for others, or did.
    let aside: EventualRecord | undefined
    // And whether as a replica.
    const asked = new Map<NodeId, boolean>()
    for (;;) {
      let one = this.#next(position, asked)
      const isLost = !answered && here === undefined && aside === undefined
      if (one === undefined && isLost && mayLook) {
        mayLook = false
        one = await this.#nextAfterLook(path, position, asked)
        answered = isReplica()
      }
      if (one === undefined) break
      const asReplica = looks < LOOKS_MAX && responsibility.replicasOf(position).includes(one)
      asked.set(one, asReplica)
      visited.push(one)
      try {
        const { record, elsewhere } = await peers.ask(one, 'fetch', { path, asReplica })
        if (record !== undefined) this.#gave(path, one)
        if (elsewhere === true) {
          if (record !== undefined) aside = aside === undefined ? record : merge(aside, record)
          looks++
          await this.lookUp(path)
          continue
        }
        const replicas = responsibility.replicasOf(position)
        if (asReplica && replicas.includes(one)) answered = true
        if (record === undefined) continue
        // A replica that had nothing has it from now on.
        if (replicas.includes(this.#self)) void node.syncing.exchange(one, path).catch(silence)
        return { record: here === undefined ? record : merge(here, record), visited }
      } catch (error) {
        if (!isElsewhere(error)) throw error
        fault = error
      }
    }
    const found = here !== undefined && aside !== undefined ? merge(here, aside) : (here ?? aside)
    if (answered || found !== undefined) return { record: found, visited }
    const message = 'No node that keeps the file can be reached.'
    throw new StoreError('UNAVAILABLE', message, { path, cause: fault })
  }

  /** Who is asked next for a path. */
  #next(position: Identifier, asked: ReadonlyMap<NodeId, boolean>): NodeId | undefined {
    return this.#givable(position).find(node => !asked.has(node))
  }

  /** No known replica has answered: who is one by now? It may have been asked as a bystander before. */
  async #nextAfterLook(
    path: PathName,
    position: Identifier,
    asked: Map<NodeId, boolean>,
  ): Promise<NodeId | undefined> {
    if (this.#lostLooks >= LOST_LOOKS_MAX) return undefined
    const { env, responsibility } = this.#components
    this.#lostLooks++
    await new Promise<void>(resolve => {
      const late = env.timers.after(LOST_LOOK_MS, resolve)
      void this.lookUp(path).then(() => {
        this.#lostLooks--
        late.cancel()
        resolve()
      })
    })
    for (const one of responsibility.replicasOf(position)) if (asked.get(one) === false) asked.delete(one)
    return this.#next(position, asked)
  }

  /** What this node has; a record that is damaged here is had from others. */
  #here(path: PathName): EventualRecord | undefined {
    try {
      return this.#components.node.replica.fetch(path)
    } catch (error) {
      if (errorCode(error) !== 'CORRUPT') throw error
      return undefined
    }
  }

  /** Who is asked for a path, the replicas by turns. */
  #givable(position: Identifier): NodeId[] {
    const { responsibility } = this.#components
    const takers = this.takers(position).filter(node => node !== this.#self)
    const replicas = responsibility.replicasOf(position)
    const alive = takers.filter(node => replicas.includes(node) && responsibility.isAlive(node))
    const at = alive.length === 0 ? 0 : this.#turn % alive.length
    return [...new Set([...alive.slice(at), ...alive.slice(0, at), ...takers])]
  }

  /** The replicas, the head first and those who do not answer last; then the nodes that follow; this one in any case. */
  takers(position: Identifier): NodeId[] {
    const { responsibility, following } = this.#components
    const replicas = responsibility.replicasOf(position)
    const isThere = (node: NodeId) => node === this.#self || responsibility.isAlive(node)
    const others = following(position).filter(node => !replicas.includes(node))
    return [
      ...new Set([
        ...replicas.filter(isThere),
        ...others.filter(isThere).slice(0, OTHERS_MAX),
        this.#self,
        ...replicas,
      ]),
    ]
  }

  /** What all who can be reached have of a path, together. @param keepers who is going to keep that. */
  async gather(path: PathName, keepers?: readonly NodeId[]): Promise<EventualRecord | undefined> {
    const { peers, responsibility } = this.#components
    const position = identifierOfPath(path)
    await this.reach(path, position)
    if (keepers !== undefined) await this.#components.node.replica.admit(path, keepers)
    let all = this.#here(path)
    const asked = new Set<NodeId>([this.#self])
    for (let looks = 0; looks <= LOOKS_MAX; looks++) {
      const nodes = this.takers(position).filter(one => !asked.has(one))
      const replicas = responsibility.replicasOf(position)
      const ask = async (one: NodeId) => {
        const call = peers.ask(one, 'fetch', { path, keepers, asReplica: replicas.includes(one) })
        return [one, await call.catch(silence)] as const
      }
      const answers = await Promise.all(nodes.map(ask))
      for (const [one, { record }] of answers) {
        asked.add(one)
        if (record === undefined) continue
        this.#gave(path, one)
        all = all === undefined ? record : merge(all, record)
      }
      if (!answers.some(([, { elsewhere }]) => elsewhere === true)) break
      await this.lookUp(path)
    }
    return all
  }

  /** Versions that a change names shall be known where it is accepted, wherever the client has seen them. */
  async gatherNamed(path: PathName, condition: Condition): Promise<void> {
    if (typeof condition === 'string') return
    const { peers, node, responsibility } = this.#components
    const position = identifierOfPath(path)
    await this.reach(path, position)
    const [head] = this.takers(position)
    if (head === undefined) return
    const isHere = head === this.#self
    if (!isHere && !responsibility.isAlive(head)) return
    try {
      // What is gathered counts only where nothing was forgotten since then.
      const own = node.replica.memory
      const { memory } = isHere ? { memory: own } : await peers.ask(head, 'take', NOTHING_TOLD)
      const isReplica = responsibility.replicasOf(position).includes(this.#self)
      const gathered = await this.gather(path, isReplica && !isHere ? [head, this.#self] : [head])
      if (gathered === undefined) return
      const known = isHere ? this.#here(path) : (await peers.ask(head, 'fetch', { path })).record
      if (known !== undefined && !namesOthers(known, condition)) return
      if (isReplica) await node.syncing.takeIn(this.#giverNear(gathered), gathered, own)
      if (!isHere) await this.#give(head, gathered, memory)
    } catch (error) {
      // The one that takes the change judges it by what it has.
      if (errorCode(error) === undefined) throw error
    }
  }

  /** The large bodies come first. @throws StoreError FILE_NOT_FOUND when one of them is not here. */
  async #give(node: NodeId, record: EventualRecord, memory: Memory): Promise<void> {
    const { peers } = this.#components
    const ask = { records: [record], memory }
    const { lacking } = await peers.ask(node, 'take', ask)
    if (lacking.length === 0) return
    for (const [, blob] of lacking) await peers.pushBody(node, blob)
    await peers.ask(node, 'take', ask)
  }

  #giverNear({ path, position }: EventualRecord): NodeId {
    return this.#givers.get(path) ?? this.#components.responsibility.replicasOf(position)[0] ?? this.#self
  }

  /** After an answer has left: whether another replica has the same. */
  #repairLater(path: PathName, position: Identifier): void {
    const { env, node, responsibility } = this.#components
    if (this.#repairs >= REPAIRS_MAX) return
    const others = responsibility
      .replicasOf(position)
      .filter(one => one !== this.#self && responsibility.isAlive(one))
    if (others.length === 0 || !responsibility.replicasOf(position).includes(this.#self)) return
    this.#repairs++
    const other = others[this.#turn++ % others.length] as NodeId
    const compare = async () => {
      try {
        await node.syncing.compareOne(other, path)
      } catch (error) {
        if (errorCode(error) === undefined) throw error
      } finally {
        this.#repairs--
      }
    }
    env.timers.soon(() => void compare())
  }

  /** Learns who keeps a path when nobody here knows; gives whom it asked. */
  async reach(path: PathName, position: Identifier): Promise<NodeId[]> {
    if (this.#components.responsibility.replicasOf(position).length === 0) await this.lookUp(path)
    return [this.#self]
  }

  /** Learns who keeps a path now. */
  async lookUp(path: PathName): Promise<void> {
    await this.#components.lookup(path).catch(silence)
  }

  #gave(path: PathName, node: NodeId): void {
    this.#givers.delete(path)
    if (this.#givers.size >= GIVERS_MAX) {
      const oldest = this.#givers.keys().next().value
      if (oldest !== undefined) this.#givers.delete(oldest)
    }
    this.#givers.set(path, node)
  }
}

/** What another node may do that says so: among others one that starts, or an address where a node of another network lives by now. */
const ELSEWHERE: ReadonlySet<unknown> = new Set([
  'UNAVAILABLE',
  'DISK_FULL',
  'OVERLOADED',
  'CORRUPT',
  'NO_NETWORK',
  'WRONG_NETWORK',
] satisfies ErrorCode[])

/** Whether another node may do what this one could not. */
export function isElsewhere(error: unknown): boolean {
  return ELSEWHERE.has(errorCode(error))
}

function silence(error: unknown): EventualAsks['fetch']['answer'] {
  if (errorCode(error) === undefined) throw error
  return {}
}

/** Whether a condition names versions that a record does not have. */
function namesOthers({ siblings }: EventualRecord, condition: Condition): boolean {
  if (typeof condition === 'string') return false
  const own = siblings.map(etagOfSibling)
  return condition.etags.some(etag => !own.includes(etag))
}
