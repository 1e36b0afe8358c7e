import t from 'tap'
import { GroupCommit } from '../../src/storage/group-commit.ts'

t.test('writes that arrive during a group share the next one, in their order', async t => {
  const groups: number[][] = []
  const release: (() => void)[] = []
  const commits = new GroupCommit<number>(group => {
    groups.push([...group])
    return new Promise(resolve => release.push(resolve))
  })
  const first = commits.add(1)
  while (groups.length < 1) await new Promise(resolve => setImmediate(resolve))
  const rest = [2, 3, 4].map(write => commits.add(write))
  t.same(groups, [[1]])
  release[0]?.()
  await first
  while (groups.length < 2) await new Promise(resolve => setImmediate(resolve))
  t.same(groups, [[1], [2, 3, 4]])
  release[1]?.()
  await Promise.all(rest)
  await commits.idle()
})

t.test('a group that fails is tried one by one, and only the guilty fail', async t => {
  const made: number[] = []
  const commits = new GroupCommit<number>(async group => {
    if (group.includes(2)) throw new Error('not 2')
    made.push(...group)
  })
  const results = await Promise.allSettled([1, 2, 3].map(write => commits.add(write)))
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  t.same(made, [1, 3])
  await commits.add(4)
  t.same(made, [1, 3, 4])
})

t.test('too many waiting writes are refused, and it recovers', async t => {
  let release = () => {}
  const commits = new GroupCommit<number>(
    () =>
      new Promise(resolve => {
        release = resolve
      }),
  )
  const accepted = Array.from({ length: 8192 }, (_, i) => commits.add(i))
  await t.rejects(commits.add(0), { code: 'OVERLOADED', retryAfterSeconds: 1 })
  let settled = false
  const all = Promise.all(accepted).then(() => {
    settled = true
  })
  while (!settled) {
    release()
    await new Promise(resolve => setImmediate(resolve))
  }
  await all
  await commits.idle()
})
