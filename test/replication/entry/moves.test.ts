import t from 'tap'
import type { ChainRecord, Intent, KeyOutcome } from '../../../src/replication/chain/chain-record.ts'
import type { Envelope } from '../../../src/replication/chain/messages.ts'
import { MOVES_PER_PATH_MAX } from '../../../src/replication/chain/outcomes.ts'
import { Bench, inline, large, path } from '../chain/bench.ts'

const move = (from: string, to: string) =>
  ({ kind: 'move', condition: 'absent', from: path(from), to: path(to) }) as const
const moveOver = (from: string, to: string) => ({ ...move(from, to), condition: 'none' }) as const

/** What a mover is told whose copy is this version of the destination. */
const done = (seq: number, sha256 = 'w') => ({
  kind: 'done',
  version: { epoch: 1, seq },
  file: { size: 1, sha256 },
})

function decisionsAt(bench: Bench, at: string): KeyOutcome[] {
  const { outcomes } = bench.machine('n1').records.get(path(at)) ?? { outcomes: [] }
  return outcomes.filter(outcome => outcome.move !== undefined)
}

t.test('a move leaves the file at the other path', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  t.match(bench.ask('n2', 'm', move('a', 'b')), { kind: 'done' })
  t.same([bench.get('n3', 'r1', 'a'), bench.get('n3', 'r2', 'b')], ['absent', 'w'])
  t.match(bench.ask('n2', 'm2', move('a', 'b')), { kind: 'failed', reason: 'no-source' })
  bench.put('n1', 'w2', 'a')
  t.match(bench.ask('n2', 'm3', move('a', 'b')), { kind: 'failed', reason: 'condition' })
})

t.test('a move replaces what stands at the destination only when it is asked to', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  bench.put('n1', 'w2', 'b')
  t.match(bench.ask('n2', 'm1', { ...move('a', 'b'), condition: 'absent' }), {
    kind: 'failed',
    reason: 'condition',
  })
  t.match(bench.ask('n2', 'm2', { ...move('a', 'b'), condition: 'none' }), { kind: 'done' })
  t.same([bench.get('n3', 'r1', 'a'), bench.get('n3', 'r2', 'b')], ['absent', 'w1'])
})

/** A move of n2 that stops after its intent, because n2 is cut off. */
function halfMove(): Bench {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ from, message }) => {
    return from === 'n2' && message.kind === 'write' && message.request.operation.kind === 'put'
  }
  bench.ask('n2', 'm', move('a', 'b'))
  t.ok(bench.machine('n1').records.get(path('a'))?.intent)
  return bench
}

t.test('whoever reads a record with an intent settles the move first', async t => {
  const bench = halfMove()
  t.equal(bench.get('n3', 'r1', 'a'), 'absent')
  t.equal(bench.get('n3', 'r2', 'b'), 'w')
  bench.lose = () => false
  bench.fire('task')
  t.match(bench.answers.get('m'), { kind: 'done' }, 'and the mover learns of it')
})

t.test('whoever writes to one does, too', async t => {
  const bench = halfMove()
  t.match(bench.put('n3', 'w2', 'a', 'absent'), { kind: 'done' })
  t.same([bench.get('n3', 'r1', 'a'), bench.get('n3', 'r2', 'b')], ['w2', 'w'])
})

t.test('a move whose destination was taken meanwhile is abandoned, and nothing is lost', async t => {
  const bench = halfMove()
  bench.put('n1', 'other', 'b')
  t.equal(bench.get('n3', 'r1', 'a'), 'w')
  t.equal(bench.machine('n1').records.get(path('a'))?.intent, undefined)
  bench.lose = () => false
  bench.fire('task')
  t.match(bench.answers.get('m'), { kind: 'failed', reason: 'condition' })
  t.equal(bench.get('n3', 'r2', 'b'), 'other')
})

t.test('a move that was seen has happened, however often its copy was overwritten since', async t => {
  for (const key of [undefined, { key: 'k', fingerprint: 'f', expiresAtMs: 0 }]) {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    bench.put('n1', 'w', 'a')
    bench.lose = ({ from, message }) =>
      from === 'n2' && message.kind === 'write' && message.request.operation.kind === 'remove'
    bench.ask('n2', 'm', { ...move('a', 'b'), ...(key && { key }) })
    t.equal(bench.get('n3', 'r0', 'b'), 'w', 'somebody sees it')
    // More writes than a record's history names.
    for (let write = 0; write < 40; write++) bench.put('n1', `other${write}`, 'b')
    t.equal(bench.get('n3', 'r1', 'a'), 'absent', 'the source is gone')
    bench.lose = () => false
    bench.fire('task')
    t.match(bench.answers.get('m'), done(3), 'and the mover is told of its own copy')
    t.match(bench.get('n3', 'r2', 'b'), /other/)
  }
})

t.test('two moves that cross leave both files', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.event('n2', { kind: 'request', id: 'm1', request: move('a', 'b') })
  bench.event('n3', { kind: 'request', id: 'm2', request: move('a', 'c') })
  bench.run()
  for (const kind of ['retry', 'task'] as const) bench.fire(kind)
  const found = ['a', 'b', 'c'].map((at, index) => bench.get('n1', `r${index}`, at))
  t.ok(found.includes('w'), found.join())
  t.ok(bench.answers.has('m1') && bench.answers.has('m2'))
})

t.test(
  'a move over a file succeeds although others write that file meanwhile, with the receipt of its copy',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    bench.put('n1', 'w', 'a')
    let count = 0
    bench.lose = ({ from, message }) => {
      if (from !== 'n2' || message.kind !== 'write') return false
      // Before each message of the mover somebody else writes the destination, twice.
      for (const id of [`x${++count}`, `y${count}`]) bench.event('n1', putEvent(id))
      return false
    }
    const answer = bench.ask('n2', 'm', moveOver('a', 'b'))
    t.match(answer, { kind: 'done', replaced: true, file: { sha256: 'w' } })
    const { version } = answer as { version: { seq: number } }
    t.match(decisionsAt(bench, 'b'), [{ version: { seq: version.seq } }])
    t.ok(count >= 3)
  },
)

function putEvent(id: string) {
  const meta = { mediaType: 'a/b' }
  const request = {
    kind: 'put',
    path: path('b'),
    body: inline(id),
    meta,
    writtenAtMs: 0,
    condition: 'none',
  } as const
  return { kind: 'request', id, request } as const
}

t.test(
  'a file that was created at the destination meanwhile forbids a move, and that is not decided again',
  async t => {
    const bench = halfMove()
    bench.put('n1', 'other', 'b')
    t.equal(bench.get('n3', 'r1', 'a'), 'w', 'a reader has settled it')
    bench.ask('n1', 'd', { kind: 'remove', condition: 'exists', path: path('b') })
    bench.lose = () => false
    bench.fire('task')
    t.match(bench.answers.get('m'), { kind: 'failed', reason: 'condition' })
    t.same([bench.get('n3', 'r2', 'a'), bench.get('n3', 'r3', 'b')], ['w', 'absent'])
  },
)

t.test('of moves that wait for each other in a circle one yields, and begins again', async t => {
  for (const names of [
    ['a', 'b'],
    ['b', 'a'],
    ['a', 'b', 'c'],
    ['c', 'b', 'a'],
  ]) {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    for (const name of names) bench.put('n1', `w${name}`, name)
    const isCopy = ({ message }: Envelope) =>
      message.kind === 'write' &&
      message.request.settles !== undefined &&
      message.request.operation.kind === 'put'
    bench.lose = isCopy
    names.forEach((name, index) => {
      const to = names[(index + 1) % names.length] as string
      const request = { kind: 'request', id: `m${index}`, request: moveOver(name, to) } as const
      bench.event(index % 2 ? 'n2' : 'n3', request)
    })
    bench.run()
    for (const name of names) t.ok(bench.machine('n1').records.get(path(name))?.intent, `${name} is to move`)
    bench.lose = () => false
    for (let round = 0; round < 4; round++) for (const kind of ['task', 'retry'] as const) bench.fire(kind)
    const outcomes = names.map((_, index) => bench.answers.get(`m${index}`)?.kind)
    const found = names.map((name, index) => bench.get('n3', `r${index}`, name))
    t.same(new Set(outcomes), new Set(['done']), `all are told: ${outcomes}`)
    t.equal(found.filter(each => each !== 'absent').length > 0, true, found.join())
    for (const name of names) t.notOk(bench.machine('n1').records.get(path(name))?.intent)
  }
})

t.test('a move under a key whose refusal was told does not happen later', async t => {
  const key = { key: 'k', fingerprint: 'f', expiresAtMs: 0 }
  for (const reason of ['no-source', 'condition'] as const) {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    bench.put('n1', 'w', 'a')
    const held: Envelope[] = []
    bench.lose = envelope =>
      envelope.from === 'n2' && envelope.message.kind === 'write' && held.push(envelope) > 0
    bench.ask('n2', 'm1', { ...move('a', 'b'), key })
    bench.lose = () => false
    if (reason === 'condition') bench.put('n1', 'other', 'b')
    else bench.ask('n1', 'd', { kind: 'remove', condition: 'exists', path: path('a') })
    t.match(bench.ask('n3', 'm2', { ...move('a', 'b'), key }), { kind: 'failed', reason })
    if (reason === 'condition') bench.ask('n1', 'd', { kind: 'remove', condition: 'exists', path: path('b') })
    else bench.put('n1', 'w', 'a')
    for (const { message } of held) bench.deliver('n2', 'n1', message)
    t.equal(bench.get('n3', 'r1', 'a'), 'w')
    t.equal(bench.get('n3', 'r2', 'b'), 'absent')
    t.match(
      bench.ask('n3', 'm3', { ...move('a', 'b'), key }),
      { kind: 'failed', reason },
      'told the same again',
    )
  }
})

t.test(
  'what was decided of a move is forgotten once it is settled, and its copy is not made again',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    const copies: Envelope[] = []
    bench.lose = envelope => {
      const { message } = envelope
      if (message.kind === 'write' && message.request.move !== undefined) copies.push(envelope)
      return false
    }
    for (let count = 0; count < 20; count++) {
      bench.put('n1', `w${count}`, 'a')
      t.match(bench.ask('n2', `m${count}`, moveOver('a', 'b')), {
        kind: 'done',
        file: { sha256: `w${count}` },
      })
    }
    const decisions = decisionsAt(bench, 'b')
    t.ok(decisions.length <= 8, `${decisions.length}`)
    t.ok(decisions.every(({ move }) => move?.settled))
    bench.put('n1', 'last', 'b')
    for (const { message } of copies) bench.deliver('n2', 'n1', message)
    t.equal(bench.get('n3', 'r', 'b'), 'last')
    bench.ask('n1', 'd', { kind: 'remove', condition: 'exists', path: path('b') })
    bench.event('n1', { kind: 'collect' })
    bench.run()
    t.equal(bench.machine('n1').records.get(path('b')), undefined, 'and the tombstone may go')
    for (const { message } of copies) bench.deliver('n2', 'n1', message)
    t.equal(bench.get('n3', 'r2', 'b'), 'absent')
  },
)

t.test('where nobody tells that moves are settled, the head of their destination finds out', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ from, message }) => from === 'n2' && message.kind === 'settled'
  for (let count = 0; count < 3 * MOVES_PER_PATH_MAX; count++) {
    bench.put('n1', `w${count}`, 'a')
    t.match(bench.ask('n2', `m${count}`, moveOver('a', 'b')), { kind: 'done' })
    t.ok(decisionsAt(bench, 'b').length <= MOVES_PER_PATH_MAX)
  }
})

t.test('a move goes on from what an older program has written, and by its rules', async t => {
  const bench = halfMove()
  const record = bench.machine('n1').records.get(path('a')) as ChainRecord
  const { condition: _, ...intent } = record.intent as Intent
  for (const name of ['n1', 'n2', 'n3']) bench.machine(name).records.put({ ...record, intent })
  bench.put('n1', 'other', 'b')
  t.equal(bench.get('n3', 'r1', 'a'), 'w', 'given up, as the destination was written')
  bench.lose = () => false
  bench.fire('task')
  t.ok(bench.answers.has('m'))
  t.equal(bench.get('n3', 'r2', 'b'), 'other')
})

/** The move that is under way at n2 asks its last question again; nobody has answered it. */
function answerTo(bench: Bench, message: { kind: 'stale' | 'failed'; record: ChainRecord }): void {
  const [tag] = bench.machine('n2').entry.tasks.keys()
  if (tag === undefined) throw new TypeError('n2 waits for nothing.')
  bench.deliver('n1', 'n2', { tag, ...message })
}

t.test('what was written at the source after a move was settled is not removed by its mover', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ to, message }) => to === 'n2' && message.kind === 'written' && message.record === undefined
  bench.ask('n2', 'm', move('a', 'b'))
  t.equal(bench.get('n3', 'r0', 'a'), 'absent', 'somebody else has settled it')
  // More writes than the history of the source names.
  for (let write = 0; write < 40; write++) bench.put('n1', `other${write}`, 'a')
  bench.lose = () => false
  bench.fire('task')
  t.match(bench.answers.get('m'), done(3))
  t.equal(bench.get('n3', 'r1', 'a'), 'other39')
})

t.test('a mover that does not know whether its source is free does not begin again', async t => {
  const bench = halfMove()
  const at = (name: string) => bench.machine('n1').records.get(path(name)) as ChainRecord
  const { intent } = at('a')
  const source = { ...at('a'), intent: undefined }
  const refused = { key: intent?.moveId as string, fingerprint: '', expiresAtMs: 0, refused: true }
  const move = { moveId: intent?.moveId as never, source: path('a'), refusal: 'yielded' as const }
  const outcome = { ...refused, version: { epoch: 1, seq: 3 }, replaced: false, file: undefined, move }
  bench.lose = ({ from, message }) => from === 'n2' && message.kind === 'write'
  answerTo(bench, { kind: 'failed', record: { ...source, path: path('b'), outcomes: [outcome] } })
  answerTo(bench, { kind: 'stale', record: { ...source, version: { epoch: 1, seq: 90 }, history: [] } })
  t.match(bench.answers.get('m'), { kind: 'indeterminate' })
})

t.test(
  'a copy that is remembered was made, though an older head says that the path was written since',
  async t => {
    const bench = halfMove()
    const record = bench.machine('n1').records.get(path('a')) as ChainRecord
    const { intent } = record
    const source = { ...record, intent: undefined }
    const move = { moveId: intent?.moveId as never, source: path('a') }
    const copied = { key: '', fingerprint: '', expiresAtMs: 0, refused: false, replaced: false, move }
    const outcome = { ...copied, version: { epoch: 1, seq: 3 }, file: undefined }
    bench.lose = () => false
    answerTo(bench, { kind: 'stale', record: { ...source, path: path('b'), outcomes: [outcome] } })
    t.match(bench.answers.get('m'), { kind: 'done', version: { epoch: 1, seq: 3 } })
    t.equal(bench.get('n3', 'r', 'a'), 'absent')
  },
)

t.test('an earlier move under the same key is not taken for the copy of this one', async t => {
  const key = { key: 'k', fingerprint: 'f', expiresAtMs: 9e15 }
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'x', 'c')
  t.match(bench.ask('n2', 'm0', { ...moveOver('c', 'b'), key }), { kind: 'done' })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ from, message }) =>
    from === 'n2' && message.kind === 'write' && message.request.operation.kind === 'put'
  bench.ask('n2', 'm', { ...moveOver('a', 'b'), key })
  // A mover of protocol 2 says nothing of a condition.
  const record = bench.machine('n1').records.get(path('a')) as ChainRecord
  const { condition: _, ...intent } = record.intent as Intent
  for (const name of ['n1', 'n2', 'n3']) bench.machine(name).records.put({ ...record, intent })
  bench.put('n1', 'other', 'b')
  t.equal(bench.get('n3', 'r', 'a'), 'w', 'the file is where it was')
})

t.test('a move whose copy was made has happened, though nobody answers any more', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ from, message }) =>
    from === 'n2' && message.kind === 'write' && message.request.operation.kind === 'remove'
  bench.ask('n2', 'm', move('a', 'b'))
  bench.fire('deadline', 'n2')
  t.match(bench.answers.get('m'), done(3))
})

t.test('a write that a move has held up is burnt before it is tried again', async t => {
  const bench = halfMove()
  bench.log.length = 0
  t.match(bench.put('n3', 'w2', 'a'), { kind: 'done' })
  const asked = bench.log.filter(line => /^n3>n1 (write|burn)$|^n1>n3 refused$/.test(line))
  t.notOk(asked.includes('n1>n3 refused'), asked.join())
  t.same(asked.slice(-2), ['n3>n1 burn', 'n3>n1 write'])
})

t.test('a write that waits for a move when time is up is not told as one that changed nothing', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a', 'none', large('b1'))
  bench.lose = ({ from, message }) =>
    from === 'n2' && message.kind === 'write' && message.request.operation.kind === 'put'
  bench.ask('n2', 'm', move('a', 'b'))
  bench.lose = ({ message }) => message.kind === 'stage'
  bench.put('n3', 'w2', 'a')
  bench.fire('deadline', 'n3')
  t.match(bench.answers.get('w2'), { kind: 'indeterminate' })
})
