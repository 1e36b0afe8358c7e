/**
 * Who acts on what: for each kind of message its one handler, in the order of the table of messages (messages.ts); for
 * each fact those who hear it, in this order; and for each timer whoever set it.
 */

import type { NodeId } from '../../views/view.ts'
import * as asking from '../entry/asking.ts'
import * as flows from '../entry/flows.ts'
import * as bodies from './bodies.ts'
import { forgetChain } from './chain-of-view.ts'
import * as confirm from './confirm.ts'
import * as deciding from './deciding.ts'
import * as dirty from './dirty.ts'
import type { Fact } from './facts.ts'
import * as finishing from './finishing.ts'
import { onForget } from './forgetting.ts'
import * as installing from './installing.ts'
import * as liveness from './liveness.ts'
import type { Machine } from './machine-parts.ts'
import { send, type TimerEvent } from './machine-state.ts'
import type { Message, MessageOf } from './messages.ts'
import { onSettled } from './move-decision.ts'
import * as passing from './passing.ts'
import { onRead } from './reading.ts'
import * as repair from './repair.ts'
import * as spares from './spares.ts'
import * as transfers from './transfers.ts'
import * as unsettled from './unsettled.ts'
import * as writing from './writing.ts'

type OfKind<Union extends { readonly kind: string }, Kind> = Extract<Union, { readonly kind: Kind }>

/** @param boot of the start of the sender, as text. */
type Handlers = {
  readonly [Kind in Message['kind']]: (
    m: Machine,
    from: NodeId,
    message: MessageOf<Kind>,
    boot: string,
  ) => void
}

const nothing = () => undefined

const answered = (m: Machine, from: NodeId, message: asking.Answer) => asking.onReply(m.entry, from, message)

const MESSAGES: Handlers = {
  // Views: who is responsible.
  prepare: deciding.onPrepare,
  promise: deciding.onPromised,
  accept: deciding.onAccept,
  accepted: deciding.onAcceptedAt,
  outbid: (m, _from, message) => deciding.onOutbid(m, message),
  decided: (m, _from, { view, children }) => deciding.learnDecided(m, view, children),
  teach: (m, from, { views }) => deciding.onTeach(m, from, views),
  install: (m, from, { view }) => installing.onInstall(m, from, view),
  installed: (m, from, { viewId }) => installing.onInstalled(m, from, viewId),
  active: (m, from, { viewId }) => installing.onActive(m, from, viewId),
  'pre-copy': bodies.onPreCopy,
  'pre-copied': (m, from, { viewId }) => repair.onPreCopied(m, from, viewId),
  'back-filled': (m, from, { viewId }) => spares.onBackFilled(m, from, viewId),
  complete: (m, _from, { view }) => spares.onComplete(m, view),
  'ask-complete': (m, from, { view }) => spares.onAskComplete(m, from, view),
  compare: transfers.onCompare,
  difference: transfers.onDifference,
  'no-difference': transfers.onNoDifference,
  ping: (m, from) => send(m, from, { kind: 'pong' }),
  // That it has come is all that it says.
  pong: nothing,
  suspect: (m, _from, { node }) => liveness.probe(m, node),
  // Heard before all others, since its sender does not trust this start (machine.ts).
  impostor: nothing,
  // The chain: how bytes are kept.
  read: onRead,
  write: (m, from, message, boot) => writing.onWrite(m, from, boot, message),
  burn: (m, from, message, boot) => writing.onBurn(m, from, boot, message),
  pass: passing.onPass,
  acknowledge: passing.onAcknowledge,
  floor: passing.onFloor,
  settled: onSettled,
  confirm: confirm.onConfirm,
  confirmed: (m, from, message) => {
    deciding.noteThere(m, from, message.tag)
    confirm.onConfirmed(m, from, message)
  },
  stage: bodies.onStage,
  'stage-on': (m, _from, message) => bodies.stageOn(m, message),
  'blob-wanted': (m, from, { blobs }) => bodies.onBlobWanted(m, from, blobs),
  blob: (m, _from, { blob }) => bodies.onBlob(m, blob),
  'blob-missing': (m, from, { blob }) => bodies.onBlobMissing(m, from, blob),
  // The entry node: what it asks when it knows nobody, and what it is answered.
  where: deciding.onWhere,
  value: answered,
  written: answered,
  failed: answered,
  'key-refused': answered,
  stale: answered,
  unsettled: answered,
  staged: (m, _from, message) => asking.onStaged(m.entry, message),
  refused: (m, from, message) => {
    finishing.learnOfRefusal(m, message)
    asking.onRefused(m.entry, from, message)
  },
}

type Hearers = {
  readonly [Kind in Fact['kind']]: readonly ((m: Machine, fact: OfKind<Fact, Kind>) => void)[]
}

const FACTS: Hearers = {
  sealed: [
    (m, { viewId }) => confirm.refuseUnconfirmed(m, viewId, 'sealed'),
    (m, { viewId }) => dirty.refuseWaiting(m, viewId),
    (m, { viewId }) => confirm.assertNobodyWaits(m, viewId),
  ],
  'taken-in': [(m, { view }) => installing.onTakenIn(m, view), (m, { view }) => repair.onTakenIn(m, view)],
  dropped: [
    (m, { viewId }) => forgetChain(m, viewId),
    (m, { viewId }) => deciding.forgetProposal(m, viewId),
    (m, { viewId }) => installing.forgetInstallation(m, viewId),
  ],
  'given-up': [unsettled.lookLater],
  dead: [
    (m, { node }) => repair.repairShared(m, node),
    (m, { node }) => asking.onTargetUnreachable(m.entry, node),
    unsettled.lookSoon,
  ],
  back: [(m, { node }) => deciding.dropPlansWithout(m, node), repair.repairAll],
  unknown: [(m, { node }) => repair.repairWith(m, node)],
  copied: [(m, { transfer, from }) => installing.onCopied(m, transfer, from)],
  'not-copied': [(m, { transfer, reason }) => installing.onNotCopied(m, transfer, reason)],
  'body-here': [(m, { blobId }) => passing.passBlocked(m, blobId)],
  'task-done': [(m, { task, result }) => flows.taskDone(m.entry, task, result)],
  'way-free': [(m, { flow }) => flows.resume(m.entry, flow)],
  'move-unsettled': [(m, fact) => flows.startTidying(m.entry, fact)],
}

type Timers = { readonly [Kind in TimerEvent['kind']]: (m: Machine, timer: OfKind<TimerEvent, Kind>) => void }

const TIMERS: Timers = {
  confirm: (m, { tag, last }) => confirm.onConfirmTimeout(m, tag, last),
  proposal: (m, { viewId, round }) => deciding.onProposalTimeout(m, viewId, round),
  finish: (m, { viewId }) => finishing.onFinish(m, viewId),
  watch: installing.onWatch,
  transfer: (m, { tag, steps }) => transfers.onTransferTimeout(m, tag, steps),
  resume: (m, { viewId }) => passing.onResume(m, viewId),
  resend: (m, { viewId }) => passing.onResend(m, viewId),
  'back-fill': bodies.onBackFill,
  task: (m, { tag }) => asking.onTaskTimeout(m.entry, tag),
  retry: (m, { tag }) => asking.onRetry(m.entry, tag),
  deadline: (m, { flow }) => flows.onDeadline(m.entry, flow),
  repair: repair.onRepair,
  seek: liveness.onSeek,
  look: unsettled.onLook,
  forget: onForget,
  spare: (m, { viewId, tries }) => spares.onSpareTimeout(m, viewId, tries),
  question: (m, { node, tag }) => liveness.onQuestionTimeout(m, node, tag),
}

/** Handles a message of a node that may be trusted to be who it says it is. */
export function receive(m: Machine, from: NodeId, boot: string, message: Message): void {
  // A request is the occasion on which nodes that count as dead are asked whether they are back.
  if (message.kind === 'read' || message.kind === 'write') liveness.seekSuspects(m)
  const handler = MESSAGES[message.kind] as Handlers[Message['kind']] as (
    m: Machine,
    from: NodeId,
    message: Message,
    boot: string,
  ) => void
  handler(m, from, message, boot)
}

export function hear(m: Machine, fact: Fact): void {
  for (const hearer of FACTS[fact.kind]) (hearer as (m: Machine, fact: Fact) => void)(m, fact)
}

export function onTimer(m: Machine, timer: TimerEvent): void {
  ;(TIMERS[timer.kind] as (m: Machine, timer: TimerEvent) => void)(m, timer)
}
