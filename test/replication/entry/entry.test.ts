/** The entry node by itself: its port is all that it needs, no machine and no driver. */
import t from 'tap'
import type { Message, Tag } from '../../../src/replication/chain/messages.ts'
import { onRefused, onReply, onTaskTimeout } from '../../../src/replication/entry/asking.ts'
import { type EntryHost, newEntry } from '../../../src/replication/entry/entry.ts'
import { startRequest, taskDone } from '../../../src/replication/entry/flows.ts'
import { bootName, type NodeId } from '../../../src/views/view.ts'
import { node, path, SETTINGS, wholeView } from '../chain/bench.ts'

const BOOT = { counter: 7, nonce: 'a'.repeat(32) }

/** An entry node that has no replica, and what it has said. */
function alone(view = wholeView(['n1', 'n2', 'n3'])) {
  const sent: [NodeId, Message][] = []
  const answers: [string, string][] = []
  const probed: NodeId[] = []
  let counter = 0
  const host: EntryHost = {
    self: node('e'),
    settings: SETTINGS,
    covering: () => view,
    others: () => view.replicas,
    bootOf: () => BOOT,
    isAlive: () => true,
    probe: target => probed.push(target),
    avoid: () => undefined,
    preferred: (_view, nodes) => nodes,
    nextTurn: () => 0,
    mayVote: () => false,
    confirmMeanwhile: (_view, tag, replica) => ({
      to: node('e'),
      tag,
      message: undefined,
      vote: replica,
      round: undefined,
    }),
    answered: (_view, answer, message) => {
      answer.message = message
    },
    newTag: () => `t${++counter}` as Tag,
    newRequestId: () => `r${++counter}` as never,
    newCounter: () => ++counter,
    send: (to, message) => sent.push([to, message]),
    setTimer: () => undefined,
    tell: fact => fact.kind === 'task-done' && taskDone(entry, fact.task, fact.result),
    answer: (request, { kind }) => answers.push([request, kind]),
  }
  const entry = newEntry(host)
  const latest = () => sent.at(-1) as [NodeId, Message & { tag: Tag }]
  return { entry, sent, answers, probed, latest }
}

t.test('a write goes to the head, and its answer to the client', async t => {
  const { entry, answers, latest } = alone()
  startRequest(entry, 'w', { kind: 'remove', path: path('a'), condition: 'none' })
  const [to, message] = latest()
  t.equal(to, node('n1'))
  t.match(message, { kind: 'write', binding: { kind: 'first', headBoot: bootName(BOOT) } })
  const version = { epoch: 1, seq: 1 }
  onReply(entry, to, { kind: 'written', tag: message.tag, version, replaced: true } as never)
  t.same(answers, [['w', 'done']])
  t.equal(entry.tasks.size + entry.flows.size, 0)
})

t.test('what got no answer is burnt before it is tried again', async t => {
  const { entry, probed, latest } = alone()
  startRequest(entry, 'w', { kind: 'remove', path: path('a'), condition: 'none' })
  onTaskTimeout(entry, latest()[1].tag)
  t.same(probed, [node('n1')])
  t.equal(latest()[1].kind, 'burn')
})

t.test('a refusal of somebody who was not asked says nothing', async t => {
  const { entry, sent, latest } = alone()
  startRequest(entry, 'r', { kind: 'get', path: path('a') })
  const [, { tag }] = latest()
  const count = sent.length
  onRefused(entry, node('n9'), { kind: 'refused', tag, reason: 'dirty', teaches: [], sealed: undefined })
  t.equal(sent.length, count)
  onRefused(entry, node('n1'), { kind: 'refused', tag, reason: 'dirty', teaches: [], sealed: undefined })
  t.equal(latest()[0], node('n3'), 'the tail has no dirty records')
})
