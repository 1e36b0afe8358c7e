import t from 'tap'
import type { Message } from '../../../src/replication/chain/messages.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { asSource, type View } from '../../../src/views/view.ts'
import { Bench, large, path, wholeView } from './bench.ts'

const V1 = wholeView(['n1', 'n2', 'n3'])
const blob = 'b1' as BlobId
const holders = (bench: Bench, id = blob) =>
  [...bench.machines].filter(([, m]) => m.blobs.has(id)).map(([name]) => name)

t.test('a large body is staged down the chain before the small write that names it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n2', 'w', 'a', 'none', large('b1'))
  t.same(holders(bench), ['n1', 'n2', 'n3'])
  t.ok(bench.machine('n3').blobs.get(blob)?.stagedUntilMs)
  bench.lose = () => false
  bench.fire('resend')
  t.match(bench.answers.get('w'), { kind: 'done' })
  t.equal(
    bench.machine('n3').blobs.get(blob)?.stagedUntilMs,
    undefined,
    'named by a record, it does not expire',
  )
})

t.test('a head that is the entry node itself stages a body only when it is on its disk', async t => {
  const bench = new Bench({ nodes: ['n1'] })
  // The carrier passes the message on when it has seen the body.
  bench.lose = ({ from, to, message }) => from === 'n1' && to === 'n1' && message.kind === 'stage'
  bench.put('n1', 'w', 'a', 'none', large('b1'))
  t.same(holders(bench), [])
  t.equal(bench.answers.size, 0)
  bench.lose = () => false
  bench.fire('task')
  bench.fire('retry')
  t.match(bench.answers.get('w'), { kind: 'done' })
  t.same(holders(bench), ['n1'])
})

t.test('a write whose body nobody has is told so at once, and only if no try of it is under way', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const nowhere = () => {
    for (const tag of [...bench.machine('n2').entry.tasks.keys()])
      bench.event('n2', { kind: 'body-nowhere', tag })
    bench.run()
  }
  bench.lose = ({ message }) => message.kind === 'stage'
  bench.put('n2', 'w1', 'a', 'none', large('b1'))
  nowhere()
  t.match(bench.answers.get('w1'), { kind: 'failed', reason: 'no-body' })
  bench.lose = ({ message }) => message.kind === 'write'
  bench.put('n2', 'w2', 'a', 'none', large('b2'))
  nowhere()
  t.equal(bench.answers.get('w2'), undefined)
  bench.fire('deadline')
  t.match(bench.answers.get('w2'), { kind: 'indeterminate' })
  let first = true
  bench.lose = ({ message }) => {
    const lost = message.kind === 'write' && first
    if (lost) first = false
    return lost || (message.kind === 'stage' && !first)
  }
  bench.put('n2', 'w3', 'a', 'none', large('b3'))
  bench.machine('n1').blobs.delete('b3' as BlobId)
  bench.fire('task', 'n2')
  bench.fire('retry', 'n2')
  t.ok([...bench.machine('n2').entry.tasks.values()][0]?.write?.staging, 'it is to be staged once more')
  nowhere()
  t.equal(bench.answers.get('w3'), undefined, 'a try of it is under way')
})

t.test('a replica that lacks the body of a pass fetches it first', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ to, message }) => to === 'n3' && message.kind === 'stage-on'
  bench.put('n1', 'w', 'a', 'none', large('b1'))
  t.equal(bench.answers.size, 0)
  bench
    .machine('n1')
    .blobs.set(blob, { blob: { blobId: blob, sha256: 'b1' }, stagedUntilMs: 9e9, replacedBy: undefined })
  bench.lose = () => false
  bench.fire('task')
  bench.fire('resend')
  t.match(bench.answers.get('w'), { kind: 'done' })
  t.same(holders(bench), ['n1', 'n2', 'n3'])
})

t.test('a body that the replica before cannot bring comes from one before that', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a', 'none', large('b1'))
  t.same(holders(bench), ['n1', 'n2', 'n3'])
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n1', 'x', 'a', 'none', large('b2'))
  bench.machine('n3').blobs.delete('b2' as BlobId)
  bench.lose = ({ from, to, message }) => from === 'n2' && to === 'n3' && message.kind === 'blob'
  for (let turn = 0; turn < 3; turn++) bench.fire('resend')
  t.match(bench.answers.get('x'), { kind: 'done' })
  t.same(holders(bench, 'b2' as BlobId), ['n1', 'n2', 'n3'])
})

t.test('who stages in a view that has been superseded finds out what came after it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
  const V2: View = { ...wholeView(['n1', 'n3'], ['n1', 'n2', 'n3'], 'v2', 2), sources: [asSource(V1)] }
  bench.machine('n4').table.learn(V1)
  bench.event('n4', { kind: 'members', members: bench.members('n1', 'n2', 'n3') })
  bench.lose = ({ to }) => to === 'n4'
  bench.deliver('n2', 'n1', { kind: 'decided', view: V1, children: [V2] })
  bench.lose = () => false
  t.ok(bench.state('n1', 'v2').active)
  bench.put('n4', 'w', 'a', 'none', large('b1'))
  // The first answer only says that the view is gone, the next one makes the entry node ask around.
  for (let tries = 0; tries < 3; tries++) bench.fire('retry')
  t.match(bench.answers.get('w'), { kind: 'done' })
})

t.test('what was staged and never named goes when its time is over', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'staged'
  bench.put('n2', 'w', 'a', 'none', large('b1'))
  bench.nowMs += 999
  for (const name of ['n1', 'n2', 'n3']) bench.event(name, { kind: 'expire' })
  t.same(holders(bench), ['n1', 'n2', 'n3'])
  bench.nowMs += 1
  for (const name of ['n1', 'n2', 'n3']) bench.event(name, { kind: 'expire' })
  t.same(holders(bench), [])
})

t.test('a body that was replaced is kept until its successor is acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a', 'none', large('b1'))
  bench.lose = ({ to, message }) => to === 'n3' && message.kind === 'pass'
  bench.put('n1', 'w2', 'a')
  for (const name of ['n1', 'n2']) bench.event(name, { kind: 'expire' })
  t.same(holders(bench), ['n1', 'n2', 'n3'])
  bench.lose = () => false
  bench.fire('resend')
  t.same(holders(bench), [])
})

t.test('replicas of a parent keep bodies until every replica of the child has them', async t => {
  const names = ['n1', 'n2', 'n3', 'n4']
  const bench = new Bench({ nodes: names, view: V1, settings: { replicas: 2 } })
  for (const name of names) bench.event(name, { kind: 'members', members: bench.members(...names) })
  bench.put('n1', 'w', 'a', 'none', large('b1'))
  const child: View = { ...wholeView(['n2', 'n4'], ['n1', 'n2', 'n3'], 'v2', 2), sources: [asSource(V1)] }
  bench.lose = ({ message }) => message.kind === 'blob'
  bench.deliver('n1', 'n2', { kind: 'decided', view: V1, children: [child] })
  t.ok(bench.state('n4', 'v2').active, 'records move at once')
  t.match(bench.state('n2', 'v2'), { complete: false })
  t.same(holders(bench), ['n1', 'n2', 'n3'])
  bench.lose = () => false
  for (let round = 0; round < 4; round++) bench.fire('back-fill')
  t.same(holders(bench), ['n1', 'n2', 'n3', 'n4'])
  bench.fire('spare')
  t.same(holders(bench), ['n2', 'n4'])
  t.ok(bench.state('n2', 'v2').complete)
  t.equal(bench.machine('n1').records.get(path('a')), undefined)
  t.equal(bench.machine('n3').views.has(V1.id), false)
})

t.test('a body that rots is fetched from another replica', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a', 'none', large('b1'))
  bench.event('n2', { kind: 'body-lost', blobId: blob })
  t.same(holders(bench), ['n1', 'n3'])
  bench.run()
  t.same(holders(bench), ['n1', 'n2', 'n3'])
})

t.test('a body that does not come is asked for in one series, however often it is reminded of', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a', 'none', large('b1'))
  const asked: Message[] = []
  bench.lose = ({ message }) => {
    if (message.kind === 'blob-wanted') asked.push(message)
    return message.kind === 'blob-wanted'
  }
  bench.event('n2', { kind: 'body-lost', blobId: blob })
  for (let reminder = 0; reminder < 20; reminder++) bench.event('n2', { kind: 'verify' })
  bench.run()
  asked.length = 0
  for (let look = 0; look < 5; look++) bench.fire('back-fill', 'n2')
  t.equal(asked.length, 5)
})

t.test('letting go of what was kept for a view costs a replica of it no look at its records', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], view: V1 })
  bench.put('n1', 'w', 'a')
  const records = bench.machine('n2').records as unknown as { within: () => never }
  records.within = () => t.fail('looked') as never
  bench.deliver('n1', 'n2', { kind: 'complete', view: V1 })
  t.ok(bench.machine('n2').records.get(path('a')))
})

t.test('a node that is to copy a range ahead and knows a newer view of it says so', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1 })
  const newer: View = { ...wholeView(['n2'], ['n2'], 'v2', 2), sources: [asSource(V1)] }
  bench.lose = ({ to }) => to === 'n1'
  bench.deliver('n2', 'n2', { kind: 'teach', views: [newer] })
  t.notOk(bench.viewAt('n1', 'a')?.id === newer.id)
  bench.lose = () => false
  bench.deliver('n1', 'n2', { kind: 'pre-copy', view: V1 })
  t.equal(bench.viewAt('n1', 'a')?.id, newer.id)
})

t.test(
  'of a view that is known to be superseded nothing is copied ahead, though the newer one is of others',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
    const V2: View = { ...wholeView(['n2', 'n3'], ['n1', 'n2', 'n3'], 'v2', 2), sources: [asSource(V1)] }
    bench.machine('n4').table.learn(V2)
    bench.log.length = 0
    bench.deliver('n1', 'n4', { kind: 'pre-copy', view: V1 })
    t.equal(bench.machine('n4').transfers.size, 0)
    t.ok(bench.log.includes('n4>n1 teach'), 'who asked for it learns of the newer one')
  },
)
