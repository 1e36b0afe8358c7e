/**
 * The port of the entry node (src/replication/entry): all that it sees and uses of the machine of its node.
 */
import type { EntryHost } from '../entry/entry.ts'
import { answered, type Confirming, confirmMeanwhile, mayVote } from './confirm.ts'
import { isAlive, probe } from './liveness.ts'
import { newRequestId, newTag, send, setTimer, tell } from './machine-state.ts'
import { avoid, nextTurn, preferredOf } from './preference.ts'

export function entryHost(m: Confirming): EntryHost {
  return {
    self: m.self,
    get settings() {
      return m.settings
    },
    covering: position => m.table.covering(position),
    others: () => {
      const present = [...m.members.values()].filter(({ status }) => status !== 'gone')
      return present.map(({ node }) => node).filter(node => node !== m.self)
    },
    bootOf: node => (node === m.self ? m.boot : m.peers.get(node)),
    isAlive: node => isAlive(m, node),
    probe: node => probe(m, node),
    avoid: node => avoid(m, node),
    preferred: (view, nodes) => preferredOf(m, view, nodes),
    nextTurn: () => nextTurn(m),
    mayVote: view => mayVote(m, view),
    confirmMeanwhile: (view, tag, replica) => confirmMeanwhile(m, view, tag, replica),
    answered: (view, answer, message, vote) => answered(m, view, answer, message, vote),
    newTag: () => newTag(m),
    newRequestId: () => newRequestId(m),
    newCounter: () => ++m.counter,
    send: (to, message) => send(m, to, message),
    setTimer: (afterMs, timer) => setTimer(m, afterMs, timer),
    tell: fact => tell(m, fact),
    answer: (request, outcome) => m.effects.push({ kind: 'answer', request, outcome }),
  }
}
