import t from 'tap'
import { absentRecord, type ChainRecord } from '../../../src/replication/chain/chain-record.ts'
import type { Envelope, Tag } from '../../../src/replication/chain/messages.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import { Bench, node, path, wholeView } from './bench.ts'

t.test('a read without a majority of unsealed acceptors is not answered', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ message }) => message.kind === 'confirmed'
  t.equal(bench.get('n2', 'r', 'a'), 'no answer')
  bench.lose = () => false
  bench.fire('confirm')
  bench.fire('retry')
  t.equal(bench.answers.get('r')?.kind, 'value')
})

t.test('one round serves all reads that wait for it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  for (const id of ['r1', 'r2', 'r3'])
    bench.event('n2', { kind: 'request', id, request: { kind: 'get', path: path(id) } })
  bench.run()
  t.equal(bench.answers.size, 3)
  t.equal(
    bench.log.filter(line => line === 'n2>n1 confirm').length,
    2,
    'the first, and one for the two that came meanwhile',
  )
})

t.test(
  'votes of the entry node and of the replica count, and nobody is asked for what they are enough for',
  async t => {
    const view = wholeView(['n1'], ['n1', 'n4', 'n5'])
    const bench = new Bench({ nodes: ['n1', 'n4', 'n5'], view })
    bench.log.length = 0
    t.equal(bench.get('n4', 'r', 'a'), 'absent')
    t.strictSame(bench.log, ['n4>n1 read', 'n1>n4 value'])
  },
)

const FIVE = ['n1', 'n2', 'n3', 'n4', 'n5']

t.test(
  'the entry node asks for the votes while it asks for the record, no more of them than are needed',
  async t => {
    const bench = new Bench({ nodes: [...FIVE, 'n6'], view: wholeView(['n1', 'n2', 'n3'], FIVE) })
    bench.machine('n6').table.learn(bench.state('n1').view)
    bench.log.length = 0
    t.equal(bench.get('n4', 'r1', 'a'), 'absent')
    t.strictSame(
      kindsOf(bench),
      ['confirm', 'confirmed', 'read', 'value'],
      'its own, that of the replica and one more are three of five',
    )
    bench.log.length = 0
    t.equal(bench.get('n6', 'r2', 'a'), 'absent')
    t.strictSame(
      kindsOf(bench),
      ['confirm', 'confirm', 'confirmed', 'confirmed', 'read', 'value'],
      'who is no acceptor needs another one',
    )
  },
)

t.test('reads that come in one step share a round', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const names = ['r1', 'r2', 'r3']
  const requests = new Map(names.map(name => [name, { kind: 'get', path: path(name) } as const]))
  bench.event('n2', { kind: 'requests', requests })
  bench.run()
  t.strictSame([...bench.answers.keys()], names)
  t.equal(kindsOf(bench).filter(kind => kind === 'confirm').length, 1)
})

t.test('a slow acceptor costs one wait; then others are asked, and it is asked last', async t => {
  const bench = new Bench({ nodes: FIVE, view: wholeView(['n1', 'n2', 'n3'], FIVE) })
  const slow = await askedBy(bench)
  bench.lose = ({ from }) => from === slow
  t.equal(bench.get('n4', 'r1', 'a'), 'no answer')
  bench.fire('confirm', 'n4')
  t.equal(bench.answers.get('r1')?.kind, 'value', 'everybody was asked')
  bench.log.length = 0
  t.equal(bench.get('n4', 'r2', 'b'), 'absent', 'at once')
  t.notOk(bench.log.includes(`n4>${slow} confirm`))
})

t.test('an acceptor that refuses connections is not waited for', async t => {
  const bench = new Bench({ nodes: FIVE, view: wholeView(['n1', 'n2', 'n3'], FIVE) })
  const gone = await askedBy(bench)
  bench.lose = ({ to }) => to === gone
  t.equal(bench.get('n4', 'r1', 'a'), 'no answer')
  bench.event('n4', { kind: 'unreachable', node: node(gone) })
  bench.run()
  t.equal(bench.answers.get('r1')?.kind, 'value')
})

t.test('a replica that does not vote is made up for by another acceptor', async t => {
  const bench = new Bench({ nodes: FIVE, view: wholeView(['n1', 'n2', 'n3'], FIVE) })
  bench.lose = ({ message }) => message.kind === 'value'
  bench.event('n4', { kind: 'request', id: 'r', request: { kind: 'get', path: path('a') } })
  const question = bench.wire.find(({ message }) => message.kind === 'read')
  bench.run()
  if (question?.message.kind !== 'read') throw new TypeError('No replica was asked.')
  const record = absent('a')
  const { tag } = question.message
  bench.log.length = 0
  bench.deliver(question.to, 'n4', { kind: 'value', tag, record, vote: false })
  t.equal(bench.answers.get('r')?.kind, 'value')
  t.ok(bench.log.filter(line => line.endsWith(' confirmed')).length >= 2, 'two others and itself')
})

t.test(
  'what a replica answers to an older entry node, or an older replica, is confirmed already',
  async t => {
    const bench = new Bench({ nodes: FIVE, view: wholeView(['n1', 'n2', 'n3'], FIVE) })
    const tag = 'n4/1.x/99' as Tag
    const read = { kind: 'read', tag, viewId: bench.state('n1').view.id, path: path('a') } as const
    const position = identifierOfPath(path('a'))
    bench.log.length = 0
    bench.deliver('n4', 'n1', { ...read, position, vote: true })
    t.strictSame(kindsOf(bench), ['confirm', 'confirmed', 'value'])
    t.match(bench.log.at(-1), /^n1>n4 value$/)

    bench.lose = ({ message }) => message.kind === 'value' || message.kind === 'confirm'
    bench.event('n4', { kind: 'request', id: 'r', request: { kind: 'get', path: path('a') } })
    const question = bench.wire.find(({ message }) => message.kind === 'read')
    if (question?.message.kind !== 'read') throw new TypeError('No replica was asked.')
    bench.run()
    const answer = { kind: 'value', tag: question.message.tag, record: absent('a') } as const
    bench.deliver(question.to, 'n4', answer)
    t.equal(bench.answers.get('r')?.kind, 'value')
  },
)

t.test(
  'an entry node that has no part in a view learns that it is superseded, and reads in the next',
  async t => {
    const nodes = [...FIVE, 'n6']
    const bench = new Bench({ nodes, view: wholeView(['n1', 'n2', 'n3'], FIVE) })
    bench.put('n1', 'w', 'a')
    const { view } = bench.state('n1')
    bench.machine('n6').table.learn(view)
    bench.event('n1', { kind: 'renew', viewId: view.id })
    bench.run()
    const next = bench.machine('n1').table.covering(view.hi)
    t.not(next?.id, view.id)
    t.equal(bench.machine('n6').table.covering(view.hi)?.id, view.id)
    bench.get('n6', 'r', 'a')
    bench.fire('retry')
    t.match(bench.answers.get('r'), { kind: 'value', record: { body: { sha256: 'w' } } })
  },
)

/** The kinds of all messages that were delivered, sorted. */
function kindsOf({ log }: Bench): string[] {
  return log.map(line => line.split(' ')[1] as string).sort()
}

/** The acceptor that n4 asks for its vote. */
async function askedBy(bench: Bench): Promise<string> {
  bench.log.length = 0
  bench.get('n4', 'r0', 'a')
  const [, asked] = bench.log.map(line => /^n4>(n\d) confirm$/.exec(line)).find(found => found !== null) ?? []
  return asked as string
}

function absent(name: string): ChainRecord {
  return absentRecord(path(name), identifierOfPath(path(name)), { epoch: 1, seq: 0 })
}

t.test('a sealed acceptor says what it has accepted, and the reader finishes it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const { view } = bench.state('n1')
  const child = { ...view, id: 'v2' as typeof view.id, epoch: 2, sources: [view] }
  const ballot = { round: 1, node: view.replicas[2] as never, boot: '1.x' }
  bench.deliver('n3', 'n1', { kind: 'accept', view, ballot, children: [child] })
  t.ok(bench.state('n1').sealed)
  bench.get('n2', 'r', 'a')
  bench.fire('finish')
  bench.fire('retry')
  t.equal(bench.answers.get('r')?.kind, 'value')
  for (const name of ['n1', 'n2', 'n3']) t.ok(bench.state(name, 'v2').active)
})

t.test('of two nodes the one that does not decide confirms nothing, for itself or for others', async t => {
  const nodes = ['n1', 'n2', 'n3']
  const bench = new Bench({ nodes, view: wholeView(['n1', 'n2'], ['n1']) })
  bench.machine('n3').table.learn(bench.state('n1').view)
  bench.put('n1', 'w', 'a')
  // Without the head, which decides alone.
  bench.lose = ({ from, to }) => from === 'n1' || to === 'n1'
  t.equal(bench.get('n2', 'own', 'a'), 'no answer')
  t.equal(bench.get('n3', 'another', 'a'), 'no answer')
  bench.lose = () => false
  for (let round = 0; round < 3; round++)
    for (const kind of ['confirm', 'task', 'retry'] as const) bench.fire(kind)
  for (const id of ['own', 'another']) t.equal(bench.answers.get(id)?.kind, 'value')
})

t.test(
  'a read whose record is still under way keeps its place in a round that goes on for another',
  async t => {
    const bench = new Bench({ nodes: FIVE, view: wholeView(['n1', 'n2', 'n3'], FIVE) })
    const names = ['r1', 'r2']
    const requests = new Map(names.map(name => [name, { kind: 'get', path: path(name) } as const]))
    bench.event('n4', { kind: 'requests', requests })
    const questions = bench.wire.splice(0)
    const reads = questions.flatMap(({ to, message }) => (message.kind === 'read' ? [{ to, message }] : []))
    const [first, second] = reads
    if (first === undefined || second === undefined) throw new TypeError('Two replicas were not asked.')
    const value = ({ to, message }: typeof first) =>
      bench.deliver(to, 'n4', { kind: 'value', tag: message.tag, record: absent(message.path), vote: false })
    const answers: Envelope[] = []
    bench.lose = envelope => envelope.message.kind === 'confirmed' && answers.push(envelope) > 0
    value(first)
    // Nobody was quick, so everybody is asked; one more vote comes, which with its replica's own would do for the second.
    bench.fire('confirm', 'n4')
    const others = answers.filter(({ from }) => from !== first.to && from !== second.to)
    const [early, late] = others
    if (early === undefined || late === undefined) throw new TypeError('Too few were asked.')
    bench.lose = ({ message }) => message.kind === 'confirm'
    bench.deliver(early.from, 'n4', early.message)
    value(second)
    bench.deliver(late.from, 'n4', late.message)
    t.same([...bench.answers.keys()].sort(), names)
  },
)
