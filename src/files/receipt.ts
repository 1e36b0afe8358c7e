/**
 * The receipt: what a write answers with.
 */
import { assert } from '../invariant.ts'
import type { Consistency, Written, WrittenFile } from '../replication/replication.ts'
import type { Address } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { ETag, Version } from '../storage/record.ts'
import { etagOf } from '../storage/record.ts'

export type { Written }

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
  /** Only with eventual consistency, and where there was a condition: it was judged by what one node has. */
  readonly conditional?: 'local'
  /** True when every replica in `replicas` has the file on stable storage. */
  readonly durable: boolean
  /** The nodes that hold the file. */
  readonly replicas: readonly Address[]
  /** The nodes that the request visited, in order. */
  readonly chain: readonly Address[]
}

/** How a node keeps what it writes. */
export type Keeping = Pick<Receipt, 'consistency' | 'durable'>

/** The file that a write left. Only a removal leaves none. */
export function fileLeftBy({ record }: Written): WrittenFile {
  assert(record !== undefined, 'the write left a file')
  return record
}

export function receiptOf(written: Written, keeping: Keeping): Receipt {
  const record = fileLeftBy(written)
  return {
    path: record.path,
    size: record.body.size,
    etag: etagOf(record),
    version: { epoch: record.version.epoch, seq: record.version.seq },
    sha256: record.body.sha256,
    consistency: keeping.consistency,
    ...(written.conditional && { conditional: written.conditional }),
    durable: keeping.durable,
    replicas: written.replicas,
    chain: written.chain,
  }
}
