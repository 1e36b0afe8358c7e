/** What tests of the eventual model are made of. */
import { type Actor, type Dot, Minting } from '../../../src/replication/eventual/dot.ts'
import {
  type EventualRecord,
  emptyRecord,
  type Sibling,
  written,
} from '../../../src/replication/eventual/eventual-record.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'

export const PATH = 'a/file' as PathName

export function nothing(): EventualRecord {
  return emptyRecord(PATH, identifierOfPath(PATH))
}

export function siblingOf(dot: Dot, stamp: number, request = `${dot.actor}-${dot.n}`): Sibling {
  const text = `${dot.actor} ${dot.n}`
  const body = {
    size: text.length,
    sha256: Buffer.from(text).toString('hex').padEnd(64, '0').slice(0, 64),
    blockChecksums: [0],
    content: { inline: Buffer.from(text) },
  }
  return {
    dot,
    stamp,
    request,
    body,
    meta: { mediaType: 'text/plain' },
    writtenAtMs: Math.floor(stamp / 1000),
  }
}

/** A node that does nothing but take writes, as the rules want it. */
export class Writer {
  readonly minting: Minting
  record = nothing()
  since = 0

  constructor(actor: string) {
    this.minting = new Minting({ actor: actor as Actor })
  }

  put(
    stamp: number,
    options: { readonly replaced?: readonly Sibling[]; readonly request?: string } = {},
  ): Sibling {
    const { dot, seen } = this.minting.mint(this.record.seen, this.since)
    const added = siblingOf(dot, stamp, options.request)
    const outcome = { request: added.request, stamp, replaced: this.record.siblings.length > 0 }
    const replaced = options.replaced ?? this.record.siblings
    this.record = written(this.record, { replaced, added, seen, outcome })
    return added
  }

  remove(stamp: number): void {
    const outcome = { request: `remove-${stamp}`, stamp, replaced: true }
    const { siblings, seen } = this.record
    this.record = written(this.record, { replaced: siblings, seen, outcome })
  }

  /** It gives its record away, and forgets it. */
  drop(): void {
    this.record = nothing()
    this.since = this.minting.last
  }
}
