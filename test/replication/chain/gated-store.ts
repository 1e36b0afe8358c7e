/**
 * A replica store whose batches wait until the test lets them through or refuses them.
 */
import { realEnv } from '../../../src/env.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { ReplicaBatch, ReplicaStore } from '../../../src/storage/replica-store.ts'

export interface GatedStore extends ReplicaStore {
  /** Batches that wait, the oldest first. */
  readonly waiting: readonly ReplicaBatch[]
  /** Batches that were let through. */
  readonly applied: readonly ReplicaBatch[]
  /** Lets everything through from now on, or nothing. */
  open: boolean
  pass(): Promise<void>
  refuse(error: Error): Promise<void>
}

const turn = () => new Promise<void>(resolve => setImmediate(resolve))

export function gatedStore(init: { readonly open: boolean }): GatedStore {
  const store = new MemoryStorage({ env: realEnv() }).replica
  const waiting: { batch: ReplicaBatch; settle: (error?: Error) => void }[] = []
  const applied: ReplicaBatch[] = []
  const apply = async (batch: ReplicaBatch) => {
    if (!gated.open) {
      const error = await new Promise<Error | undefined>(resolve => waiting.push({ batch, settle: resolve }))
      if (error !== undefined) throw error
    }
    applied.push(batch)
    await store.apply(batch)
  }
  const gated: GatedStore = {
    record: (path, position) => store.record(path, position),
    records: (lo, hi) => store.records(lo, hi),
    tombstones: (lo, hi) => store.tombstones(lo, hi),
    inspect: (lo, hi) => store.inspect(lo, hi),
    replaceBlob: (blobId, sha256, body) => store.replaceBlob(blobId, sha256, body),
    values: prefix => store.values(prefix),
    receive: (blobId, body, options) => store.receive(blobId, body, options),
    openBlob: (blobId, first) => store.openBlob(blobId, first),
    hasBlob: blobId => store.hasBlob(blobId),
    tryBody: () => store.tryBody(),
    apply,
    open: init.open,
    applied,
    get waiting() {
      return waiting.map(({ batch }) => batch)
    },
    async pass() {
      await turn()
      waiting.shift()?.settle()
      await turn()
    },
    async refuse(error) {
      await turn()
      waiting.shift()?.settle(error)
      await turn()
    },
  }
  return gated
}
