/**
 * Owns the list of rules whose loss the simulator must notice. In production every one holds: ALL_RULES is frozen and
 * no configuration reaches it. A broken variant is the same machine with one of them switched off (lab/simulator).
 */

export interface Rules {
  /** A retry names the version that it expects, and what has been decided once is answered again. */
  readonly requestIds: boolean
  /** More than half of the acceptors decide and confirm; switched off, one does. */
  readonly majorities: boolean
  /** A replica takes passes and serves only when it is installed. */
  readonly installedBeforeServing: boolean
  /** Only a replica that was installed in a view is a source of that view's state. */
  readonly installedSources: boolean
  /** A write is answered when the tail has acknowledged it; switched off, when the head has stored it. */
  readonly tailBeforeAnswer: boolean
  /** An answer that reveals a record waits for the acknowledgement of that record. */
  readonly cleanBeforeRevealing: boolean
  /** Only the tail acknowledges; switched off, every replica does at once. */
  readonly tailAcknowledges: boolean
  /** The first try of a write is burnt before the write is tried again. */
  readonly burntCounters: boolean
  /** Reads are confirmed by the acceptors. */
  readonly confirm: boolean
  /** A path without a record stands at the floor, and the floor is raised before tombstones go. */
  readonly floor: boolean
  /** A view that is not held is refused unless it can't be superseded. */
  readonly knownViewsOnly: boolean
  /** Promises are stable before they are made. */
  readonly stablePromises: boolean
  /** Only clean records are read, except at the tail. */
  readonly cleanReads: boolean
  /** A view serves only when it is active. */
  readonly activeBeforeServing: boolean
  /** After a restart, what is not known to be acknowledged is dirty. */
  readonly dirtyAfterRestart: boolean
  /** The boot is part of ballots and nonces. */
  readonly bootInNonces: boolean
  /** An installing replica replaces what it has; switched off, the newer record of the two stays. */
  readonly replaceOnInstall: boolean
  /** Bodies are kept by the replicas of a parent until every replica of its child has them. */
  readonly keepBodies: boolean
  /** A replica seals a view when it learns of a newer one, and at the latest before it hands out its state. */
  readonly sealBeforeFetch: boolean
  /** A pass that names a body is stored when the body is there. */
  readonly bodyBeforePass: boolean
  /** The first try of a write is bound to one view and one start of its head. */
  readonly boundFirstTry: boolean
  /** The refusal of a write under a key is kept under that key. */
  readonly keptRefusals: boolean
  /** A copy made ahead of a view ends when a view of that range begins to be installed. */
  readonly endedPreCopies: boolean
  /** No copy is made of a view that is superseded here. */
  readonly currentPreCopies: boolean
}

export const ALL_RULES: Rules = Object.freeze({
  requestIds: true,
  majorities: true,
  installedBeforeServing: true,
  installedSources: true,
  tailBeforeAnswer: true,
  cleanBeforeRevealing: true,
  tailAcknowledges: true,
  burntCounters: true,
  confirm: true,
  floor: true,
  knownViewsOnly: true,
  stablePromises: true,
  cleanReads: true,
  activeBeforeServing: true,
  dirtyAfterRestart: true,
  bootInNonces: true,
  replaceOnInstall: true,
  keepBodies: true,
  sealBeforeFetch: true,
  bodyBeforePass: true,
  boundFirstTry: true,
  keptRefusals: true,
  endedPreCopies: true,
  currentPreCopies: true,
})
