import fc from 'fast-check'
import t from 'tap'
import { contradicts } from '../../../src/replication/chain/deciding.ts'
import type { Message } from '../../../src/replication/chain/messages.ts'
import { isMessage, MESSAGE_KINDS } from '../../../src/replication/chain/messages.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import type { ViewState } from '../../../src/views/view.ts'
import { anyMessage, anyMessageOf, anySpoilt } from './any-message.ts'
import { Bench, inline, wholeView } from './bench.ts'

t.test('what a node says is a message, of whichever kind', async t => {
  for (const kind of MESSAGE_KINDS) {
    fc.assert(
      fc.property(anyMessageOf(kind), message => isMessage(message)),
      { numRuns: 20 },
    )
    t.pass(kind)
  }
})

t.test('a replica that is sealed refuses a pass without a tag, which is a message, too', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const sealed: ViewState = { ...bench.state('n2'), sealed: true }
  bench.machine('n2').views.set(sealed.view.id, sealed)
  const refusals: Message[] = []
  bench.lose = ({ message }) => {
    if (message.kind === 'refused') refusals.push(message)
    return false
  }
  bench.put('n1', 'r1', 'p')
  bench.run()
  t.match(refusals, [{ tag: '', reason: 'sealed' }])
  t.ok(refusals.every(isMessage))
})

t.test('a superseded view may have no acceptors where nobody would ask them', async t => {
  const view = { ...wholeView(['n1', 'n2', 'n3']), acceptors: [] }
  const refused = (sealed: object) => ({ kind: 'refused', tag: 't', reason: 'sealed', teaches: [], sealed })
  t.ok(isMessage(refused({ view, next: [wholeView(['n1'], ['n1'], 'v2', 2)] })))
  t.ok(isMessage({ kind: 'ask-complete', view }))
  t.notOk(isMessage(refused({ view, accepted: [wholeView(['n1'], ['n1'], 'v2', 2)] })))
  t.notOk(isMessage({ kind: 'install', view }))
})

t.test('fields that are missing or something else are seen', async t => {
  const view = wholeView(['n1', 'n2', 'n3'])
  const rows: unknown[] = [
    undefined,
    null,
    7,
    [],
    {},
    { kind: 'unknown' },
    { kind: 'toString' },
    { kind: 'suspect' },
    { kind: 'install', view: { ...view, replicas: [] } },
    { kind: 'install', view: { ...view, acceptors: ['n1', 'n2'] } },
    { kind: 'install', view: { ...view, lo: '7' } },
    { kind: 'install', view: { ...view, epoch: 2 ** 32 } },
    { kind: 'decided', view, children: [] },
    { kind: 'decided', view, children: [{ ...view, hi: '8'.padEnd(40, '0') }] },
    { kind: 'blob', blob: { blobId: '../../etc/passwd', sha256: 'ab'.repeat(32) } },
    { kind: 'acknowledge', viewId: 'v1', path: '../x', version: { epoch: 1, seq: 1 } },
    { kind: 'acknowledge', viewId: 'v1', path: 'x'.repeat(1025), version: { epoch: 1, seq: 1 } },
    { kind: 'acknowledge', viewId: 'v1', path: 'x', version: { epoch: 1, seq: Number.NaN } },
    { kind: 'no-difference', tag: 'x', reason: 'because' },
  ]
  for (const row of rows) t.notOk(isMessage(row), JSON.stringify(row))
})

t.test('no message that is let in makes a step throw', async t => {
  let spoiltOnes = 0
  const anyTurn = fc.oneof({ weight: 3, arbitrary: anyMessage as fc.Arbitrary<unknown> }, anySpoilt)
  fc.assert(
    fc.property(fc.array(anyTurn, { minLength: 1, maxLength: 12 }), turns => {
      const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
      bench.event('n1', { kind: 'members', members: bench.members('n1', 'n2', 'n3') })
      bench.event('n1', { kind: 'request', id: 'w', request: putOf('p1') })
      bench.event('n1', { kind: 'renew', viewId: wholeView(['n1']).id })
      for (const turn of turns) {
        if (!isMessage(turn)) spoiltOnes++
        else if (!contradicts(bench.machine('n1'), turn)) tell(bench, turn)
        for (const { node, timer } of bench.timers.splice(0))
          if (node === 'n1') bench.event(node, { kind: 'timer', timer })
        bench.wire.length = 0
      }
    }),
    { numRuns: 500 },
  )
  t.ok(spoiltOnes > 100, 'and many are not let in')
})

t.test('other children than those that were decided contradict', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const view = wholeView(['n1', 'n2', 'n3'])
  const child = wholeView(['n1'], ['n1'], 'v2', 2)
  const decided = { kind: 'decided', view, children: [child] } as const
  t.notOk(contradicts(bench.machine('n1'), decided))
  tell(bench, decided)
  t.notOk(contradicts(bench.machine('n1'), decided), 'the same again is no contradiction')
  const other = { ...decided, children: [{ ...child, id: 'v3' as typeof child.id }] }
  t.ok(contradicts(bench.machine('n1'), other))
  t.throws(() => tell(bench, other), { name: 'InvariantError' }, 'nor would the machine stand it')
  const half = '8'.padEnd(40, '0') as Identifier
  t.ok(contradicts(bench.machine('n1'), { ...decided, view: { ...view, hi: half } } as Message) === false)
})

function tell(bench: Bench, message: Message): void {
  const envelope = { from: 'n2' as never, boot: { counter: 1, nonce: 'x' }, to: 'n1' as never, message }
  bench.event('n1', { kind: 'message', envelope })
}

function putOf(path: string) {
  const meta = { mediaType: 'text/plain' }
  const body = inline('w')
  return { kind: 'put', path: path as never, body, meta, writtenAtMs: 0, condition: 'none' } as const
}
