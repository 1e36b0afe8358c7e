/**
 * What keeps an entry node from wrong answers, and from votes that it does not have.
 */
import t from 'tap'
import type { Message } from '../../../src/replication/chain/messages.ts'
import { freshState, type View } from '../../../src/views/view.ts'
import { Bench, wholeView } from '../chain/bench.ts'

const THREE = ['n1', 'n2', 'n3']
const V1 = wholeView(THREE)
const WITNESSED = wholeView(['n1'], ['n1', 'n4', 'n5'])

function seal(bench: Bench, name: string, view: View): void {
  const { views } = bench.machine(name)
  views.set(view.id, { ...(views.get(view.id) ?? freshState(view)), sealed: true })
}

function listen(bench: Bench): { to: string; message: Message }[] {
  const heard: { to: string; message: Message }[] = []
  bench.lose = ({ to, message }) => heard.push({ to, message }) > 0
  return heard
}

/** An entry node that waits for the answer of the head. */
function waiting(kind: 'get' | 'put', name = 'n2') {
  const bench = new Bench({ nodes: THREE })
  const heard = listen(bench)
  if (kind === 'put') bench.put(name, 'w', 'a')
  else {
    seal(bench, name, V1)
    bench.get(name, 'w', 'a')
  }
  const task = () => {
    const [found] = [...bench.machine(name).entry.tasks.values()]
    if (found === undefined) throw new TypeError('No task is under way.')
    return found
  }
  return { bench, heard, task }
}

t.test('a first try that was refused because the view is sealed may still have been written', async t => {
  const { bench, task } = waiting('put')
  const counter = task().write?.counter
  const refused = {
    kind: 'refused',
    tag: task().tag,
    reason: 'sealed',
    teaches: [],
    sealed: undefined,
  } as const
  bench.deliver('n1', 'n2', refused)
  t.match(task().write, { counter, open: true, phase: 'burn' })
})

t.test('a refusal counts only from whom was asked', async t => {
  const { bench, task } = waiting('put')
  const refused = {
    kind: 'refused',
    tag: task().tag,
    reason: 'burnt',
    teaches: [],
    sealed: undefined,
  } as const
  bench.deliver('n3', 'n2', refused)
  t.match(task(), { tries: 0, write: { phase: 'first' } })
})

t.test('each try has a tag of its own, and answers to the last one count for nothing', async t => {
  const { bench, task } = waiting('put')
  const { tag } = task()
  bench.fire('task', 'n2')
  t.not(task().tag, tag)
  const version = { epoch: 1, seq: 1 }
  bench.deliver('n1', 'n2', { kind: 'written', tag, version, current: version })
  t.equal(bench.answers.get('w'), undefined)
})

t.test('a record that is dirty at one replica is asked for at the tail', async t => {
  const bench = new Bench({ nodes: [...THREE, 'n4'], view: V1 })
  bench.machine('n4').table.learn(V1)
  listen(bench)
  bench.get('n4', 'r', 'a')
  const [task] = [...bench.machine('n4').entry.tasks.values()]
  const target = task?.target
  if (task === undefined || target === undefined) throw new TypeError('A replica is asked.')
  const refused = { kind: 'refused', tag: task.tag, reason: 'dirty', teaches: [], sealed: undefined } as const
  bench.deliver(target, 'n4', refused)
  t.match(task, { atTail: true, target: 'n3', tries: 0 })
})

t.test('an entry node that has sealed the view does not say that it votes', async t => {
  const { heard } = waiting('get')
  t.match(
    heard.flatMap(({ message }) => (message.kind === 'read' ? [message.vote] : [])),
    [],
    'it asks itself first',
  )
  const bench = new Bench({ nodes: ['n1', 'n4', 'n5'], view: WITNESSED })
  seal(bench, 'n4', WITNESSED)
  const reads = listen(bench)
  bench.get('n4', 'r', 'a')
  t.same(
    reads.flatMap(({ message }) => (message.kind === 'read' ? [message.vote] : [])),
    [false],
  )
})
