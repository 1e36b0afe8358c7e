/**
 * How a record that was damaged on this disk is put right: with the same version from another replica, which is the
 * same record, or, where this replica has lost it or stands behind, with the newer one that the chain has passed on.
 */

import { arcContains } from '../../ring/arc.ts'
import type { PathName } from '../../ring/path-name.ts'
import { trashedAt } from '../../ring/trash-path.ts'
import { takesPasses } from '../../views/install.ts'
import { type ChainRecord, compareVersions } from './chain-record.ts'
import { type Ledger, putRecord } from './machine-state.ts'
import { takeTrash } from './trash.ts'

/** `record` has been checked against its own checksums. One that is older than what is here counts for nothing. */
export function mend(m: Ledger, record: ChainRecord): void {
  const own = m.records.get(record.path)
  const order = own === undefined ? 1 : compareVersions(record.version, own.version)
  if (own !== undefined && order === 0) {
    // Of one version there is one body; what is remembered beside it stays.
    if (own.body?.sha256 === record.body?.sha256) putRecord(m, { ...own, body: record.body })
    return
  }
  if (order <= 0 || !isKeptHere(m, record)) return
  const trashed = trashedAt(record.path)
  if (trashed === undefined) putRecord(m, takeTrash(m, record, undefined) ?? record)
  else if (isNamed(m, trashed.path, trashed.name)) putRecord(m, record)
}

/** A replica of a view takes only what that view, or one before it, has written. */
function isKeptHere(m: Ledger, { position, version }: ChainRecord): boolean {
  for (const state of m.views.values()) {
    const { view } = state
    if (!arcContains(view, position) || !takesPasses(state) || !view.replicas.includes(m.self)) continue
    if (version.epoch <= view.epoch) return true
  }
  return false
}

/** A trashed version lies where the record of its path names it, and nowhere else. */
function isNamed(m: Ledger, path: PathName, name: string): boolean {
  return m.records.get(path)?.trash?.some(one => one === name) ?? false
}
