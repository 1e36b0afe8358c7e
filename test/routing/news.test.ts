import fc from 'fast-check'
import t from 'tap'
import { NEWS_MAX, News } from '../../src/routing/news.ts'
import type { Member } from '../../src/routing/roster.ts'

const member = (number: number) => number as Member
const nobody = () => false

t.test('the least told goes first; of equals the latest', async t => {
  const news = new News<number>()
  for (const number of [1, 2, 3]) news.add(member(number))
  t.same(news.take(2, 9, nobody), [3, 2])
  news.add(member(4))
  t.same(news.take(3, 9, nobody), [4, 1, 3])
  t.same(
    news.take(9, 9, nobody),
    [4, 1, 2, 3].sort((a, b) => order(a) - order(b)),
  )
  function order(number: number): number {
    return [4, 1, 2, 3].indexOf(number)
  }
})

t.test('law: each item is told as often as it should be, never twice in one message', async () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 16 }),
      (items, times, room) => {
        const news = new News<number>()
        for (const item of items) news.add(member(item))
        const told = new Map<number, number>()
        for (
          let taken = news.take(room, times, nobody);
          taken.length > 0;
          taken = news.take(room, times, nobody)
        ) {
          if (new Set(taken).size < taken.length || taken.length > room) return false
          for (const item of taken) told.set(item, (told.get(item) ?? 0) + 1)
        }
        return news.size === 0 && items.every(item => told.get(item) === times)
      },
    ),
  )
})

t.test('an item that counts as told is told less often, and starts again when it is news again', async t => {
  const news = new News<number>()
  news.add(member(1), 2)
  t.same(news.take(1, 4, nobody), [1])
  news.add(member(1))
  const told = [1, 2, 3, 4, 5].filter(() => news.take(1, 4, nobody).length > 0)
  t.equal(told.length, 4)
})

t.test('hearing an item again counts as telling it', async t => {
  const news = new News<number>()
  news.add(member(1))
  for (let times = 0; times < 3; times++) news.heardAgain(member(1))
  t.same(news.take(1, 4, nobody), [1])
  t.same(news.take(1, 4, nobody), [])
  news.heardAgain(member(2))
  t.equal(news.size, 0, 'what is no news does not become news')
})

t.test('an item heard often enough is not told any more', async t => {
  const news = new News<number>()
  news.add(member(1))
  for (let times = 0; times < 4; times++) news.heardAgain(member(1))
  t.same(news.take(1, 4, nobody), [])
  t.equal(news.size, 0)
})

t.test('an item that a listener is not told keeps its place', async t => {
  const news = new News<number>()
  for (const number of [1, 2, 3]) news.add(member(number))
  t.same(
    news.take(1, 2, item => item === 3),
    [2],
  )
  t.same(news.take(2, 2, nobody), [3, 1])
})

t.test('waiting news are limited; what was told most goes first', async t => {
  const news = new News<number>()
  news.add(member(0))
  news.take(1, 9, nobody)
  for (let number = 1; number <= NEWS_MAX; number++) news.add(member(number))
  t.equal(news.size, NEWS_MAX)
  const all = news.take(NEWS_MAX, 9, nobody)
  t.notOk(all.includes(member(0)))
  for (let round = 0; round < 3 * NEWS_MAX; round++) news.add(member(round % 3))
  t.equal(news.size, NEWS_MAX, 'adding the same items again and again takes no room')
})
