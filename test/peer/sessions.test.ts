import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { Sessions } from '../../src/peer/sessions.ts'
import type { Address } from '../../src/ring/identifier.ts'

const peer = 'peer:1' as Address

t.test('a peer is greeted once, and each request takes the next turn', async t => {
  const sessions = new Sessions(realEnv())
  let greetings = 0
  const greet = async () => `start-${++greetings}`
  const all = await Promise.all([1, 2, 3].map(() => sessions.next(peer, greet)))
  t.equal(greetings, 1)
  t.same(all.map(({ to, turn }) => [to, turn.split('.')[1]]).sort(), [
    ['start-1', '1'],
    ['start-1', '2'],
    ['start-1', '3'],
  ])
  const [first] = all
  sessions.drop(peer, first)
  const anew = await sessions.next(peer, greet)
  t.equal(anew.to, 'start-2')
  t.not(
    anew.turn.split('.')[0],
    first?.turn.split('.')[0],
    'a session that is begun anew has a name of its own',
  )
  sessions.drop(peer, first)
  t.equal((await sessions.next(peer, greet)).to, 'start-2', 'the failure of an older one does not end it')
  sessions.drop(peer)
  t.equal((await sessions.next(peer, greet)).to, 'start-3')
})

t.test('a greeting that failed is made again; who no longer waits is let go', async t => {
  const sessions = new Sessions(realEnv())
  await t.rejects(
    sessions.next(peer, () => Promise.reject(new Error('down'))),
    { message: 'down' },
  )
  t.equal((await sessions.next(peer, async () => 'up')).to, 'up')
  const other = 'peer:2' as Address
  const leaving = new AbortController()
  const waiting = sessions.next(other, () => new Promise(() => {}), leaving.signal)
  leaving.abort(new Error('gone'))
  await t.rejects(waiting, { message: 'gone' })
})
