import t from 'tap'
import { Turns } from '../../src/storage/turns.ts'

t.test('who shares a name goes one after the other, the others at once', async t => {
  const turns = new Turns()
  const log: string[] = []
  const releases = new Map<string, () => void>()
  const go = (who: string, names: string[]) =>
    turns.take(names, async () => {
      log.push(who)
      await new Promise<void>(resolve => releases.set(who, resolve))
      return who
    })
  const one = go('one', ['a', 'b'])
  const two = go('two', ['b', 'c'])
  const three = go('three', ['c'])
  const four = go('four', ['d'])
  const settle = () => new Promise(resolve => setImmediate(resolve))
  await settle()
  t.same(log, ['one', 'four'])
  t.ok(turns.taken('c'))
  releases.get('one')?.()
  t.equal(await one, 'one')
  await settle()
  t.same(log, ['one', 'four', 'two'])
  releases.get('two')?.()
  await two
  await settle()
  t.same(log.at(-1), 'three')
  for (const who of ['three', 'four']) releases.get(who)?.()
  await Promise.all([three, four])
  await turns.idle()
  for (const name of 'abcd') t.notOk(turns.taken(name))
})

t.test('who fails gives the turn on', async t => {
  const turns = new Turns()
  const failing = turns.take(['a'], () => Promise.reject(new Error('no')))
  const next = turns.take(['a'], async () => 'next')
  await t.rejects(failing, { message: 'no' })
  t.equal(await next, 'next')
})

t.test('the same name twice is taken once', async t => {
  t.equal(await new Turns().take(['a', 'a'], async () => 1), 1)
})
