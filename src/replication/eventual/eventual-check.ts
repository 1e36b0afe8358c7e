/**
 * The check of the copies that this node keeps of one range with eventual consistency: each version is read as the disk has it, and what is damaged is
 * had anew from another node that has the record in the same state.
 */
import type { Env } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { Arc } from '../../ring/arc.ts'
import { identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { hashedBody } from '../../storage/checked-blocks.ts'
import { isWholeChecked } from '../../storage/checked-notes.ts'
import { etagOf, type FileRecord } from '../../storage/record.ts'
import type { InspectedRecord, ReplicaStore } from '../../storage/replica-store.ts'
import type { Storage } from '../../storage/storage.ts'
import type { BodyCarrier } from '../chain/body-carrier.ts'
import type { ChainDriver } from '../chain/driver.ts'
import { type CheckWord, servedEpoch } from '../chain/range-check.ts'
import type { EventualPeers, Responsibility } from './eventual-calls.ts'
import type { EventualNode } from './eventual-node.ts'
import { type EventualRecord, etagOfSibling, fileOf } from './eventual-record.ts'
import { heldOf } from './kept-record.ts'

/** Between two words about progress, ms. */
const PROGRESS_MS = 1_000

export interface EventualCheckComponents {
  readonly env: Env
  readonly storage: Pick<Storage, 'read'> & { readonly replica: ReplicaStore }
  readonly driver: Pick<ChainDriver, 'known' | 'durable'>
  readonly node: EventualNode
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
  readonly carrier: Pick<BodyCarrier, 'restore'>
}

export class EventualCheck {
  readonly #components: EventualCheckComponents

  constructor(components: EventualCheckComponents) {
    this.#components = components
  }

  /** As RangeCheck.check. */
  async *check(range: Arc, options: { readonly heal: boolean }): AsyncGenerator<CheckWord> {
    const { env, storage, driver } = this.#components
    const count = { files: 0, bytes: 0 }
    let saidMs = env.clock.monotonicMs()
    for (const inspected of storage.replica.inspect(range.lo, range.hi)) {
      count.files++
      const reading = this.#readVersions(inspected)
      let step = await reading.next()
      for (; !step.done; step = await reading.next()) {
        count.bytes += step.value
        if (env.clock.monotonicMs() - saidMs < PROGRESS_MS) continue
        saidMs = env.clock.monotonicMs()
        yield { kind: 'progress', ...count }
      }
      if (step.value !== undefined) yield await this.#dealWith(inspected, step.value, options.heal)
    }
    for (const { path, notes } of storage.replica.tombstones(range.lo, range.hi))
      if (!isWholeChecked(notes)) {
        const message = 'The stored record of a removed file fails its checksum.'
        yield { kind: 'copy', path, code: 'CORRUPT', message, healed: false }
      }
    await driver.durable()
    yield { kind: 'end', ...count, epoch: servedEpoch(driver.known, range) }
  }

  /** Brings what two nodes have of a path together. @throws StoreError. */
  async mendFrom(node: NodeId, path: PathName): Promise<void> {
    await this.#components.node.syncing.exchange(node, path)
  }

  /** Yields how many bytes passed; gives what is wrong. */
  async *#readVersions({ path, kept }: InspectedRecord): AsyncGenerator<number, StoreError | undefined> {
    const { storage, node } = this.#components
    if (kept === undefined || !isWholeChecked(kept.notes))
      return new StoreError('CORRUPT', 'The stored record of the file fails its checksum.', { path })
    for (const sibling of heldOf(kept).record.siblings) {
      const file = fileOf(path, sibling)
      try {
        yield* hashedBody(storage, file)
      } catch (error) {
        const code = errorCode(error)
        if (code !== 'CORRUPT' && code !== 'FILE_NOT_FOUND') throw error
        // A version that was replaced meanwhile is nobody's loss.
        const now = node.replica.fetch(path)?.siblings.some(one => etagOfSibling(one) === etagOf(file))
        if (now) return error as StoreError
      }
    }
    return undefined
  }

  async #dealWith(inspected: InspectedRecord, fault: StoreError, heal: boolean): Promise<CheckWord> {
    const { path } = inspected
    const { code, message } = fault
    const word = { kind: 'copy', path, code, message } as const
    if (!heal) return { ...word, healed: false }
    try {
      await this.#heal(inspected)
      const kept = this.#components.storage.replica.record(path)
      const again = this.#readVersions({ path, kept, listed: undefined })
      let step = await again.next()
      while (!step.done) step = await again.next()
      return { ...word, healed: step.value === undefined }
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      return { ...word, message: `${message} ${(error as Error).message}`, healed: false }
    }
  }

  async #heal({ path, kept }: InspectedRecord): Promise<void> {
    const { carrier, node } = this.#components
    const isWhole = kept !== undefined && isWholeChecked(kept.notes)
    const files = isWhole ? heldOf(kept).record.siblings.map(sibling => fileOf(path, sibling)) : []
    const large = files.flatMap(({ body }: FileRecord) =>
      'blobId' in body.content ? [{ blobId: body.content.blobId, sha256: body.sha256 }] : [],
    )
    for (const blob of large) await carrier.restore(path, blob)
    if (isWhole && large.length === files.length) return
    await node.replica.table.replaceDamaged(path, await this.#goodRecord(path))
  }

  /** @throws StoreError UNAVAILABLE. */
  async #goodRecord(path: PathName): Promise<EventualRecord> {
    const { peers, responsibility } = this.#components
    for (const node of responsibility.replicasOf(identifierOfPath(path))) {
      if (node === responsibility.self) continue
      const question = { path, keepers: [responsibility.self] }
      const { record } = await peers.ask(node, 'fetch', question).catch(() => ({ record: undefined }))
      if (record?.path === path) return record
    }
    throw new StoreError('UNAVAILABLE', 'No other replica that answers has a good record.', { path })
  }
}
