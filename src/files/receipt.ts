/**
 * The receipt: what a write answers with.
 */
import type { WrittenFile } from '../replication/replication.ts'
import type { Address } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { ETag, Version } from '../storage/record.ts'
import { etagOf } from '../storage/record.ts'

export interface Receipt {
  readonly path: PathName
  /** Bytes. */
  readonly size: number
  /** Quoted, as in the header; names this version. */
  readonly etag: ETag
  readonly version: Version
  /** 64 hexadecimal digits. */
  readonly sha256: string
  readonly consistency: Consistency
  /** True when every replica in `replicas` has the file on stable storage. */
  readonly durable: boolean
  /** The nodes that hold the file. */
  readonly replicas: readonly Address[]
  /** The nodes that the request visited, in order. */
  readonly chain: readonly Address[]
}

export type Consistency = 'chain' | 'eventual'

/** What a write did. `receipt` is undefined after a remove. */
export interface Written {
  readonly receipt: Receipt | undefined
  /** True when nothing stood at the path before. */
  readonly created: boolean
  readonly chain: readonly Address[]
}

/** What a receipt says beside the record: how and where it is kept. */
export type Keeping = Pick<Receipt, 'consistency' | 'durable' | 'replicas' | 'chain'>

export function receiptOf(record: WrittenFile, keeping: Keeping): Receipt {
  return {
    path: record.path,
    size: record.body.size,
    etag: etagOf(record),
    version: { epoch: record.version.epoch, seq: record.version.seq },
    sha256: record.body.sha256,
    consistency: keeping.consistency,
    durable: keeping.durable,
    replicas: keeping.replicas,
    chain: keeping.chain,
  }
}
