import t from 'tap'
import { diskBootOf, goesOnFrom, nonceOf, RESTARTS_MAX, STARTS_NOTED } from '../../src/views/boot.ts'
import type { Boot } from '../../src/views/view.ts'

/** The starts of one disk, from `first` on, each of which is noted on it. */
function starts(name: string, count: number, before?: Boot): Boot[] {
  const boots: Boot[] = []
  let last = before
  for (let at = 0; at < count; at++) {
    const diskBoot = last === undefined ? 1 : diskBootOf(last) + 1
    const drawn = `${name}${diskBoot.toString(16).padStart(2, '0')}`.padEnd(16, 'e')
    last = { counter: diskBoot * RESTARTS_MAX, nonce: nonceOf(drawn, diskBoot, last) }
    boots.push(last)
  }
  return boots
}

t.test('a disk goes on from each of its last starts, and further back nobody can tell', async t => {
  const boots = starts('a', STARTS_NOTED + 3)
  const last = boots.at(-1) as Boot
  boots.forEach((boot, at) => {
    const ago = boots.length - 1 - at
    t.equal(goesOnFrom(last, boot), ago <= STARTS_NOTED ? true : undefined, `${ago} starts ago`)
  })
  t.match(last.nonce, /^[0-9a-f]{32}$/, 'as it may travel')
})

t.test('a restored disk does not go on from what others remember, however often it is started', async t => {
  const [first, , third] = starts('a', 3) as [Boot, Boot, Boot]
  const restored = starts('b', STARTS_NOTED + 4, first)
  const noticed = restored.filter(boot => boot.counter > third.counter).map(boot => goesOnFrom(boot, third))
  t.same(noticed.slice(0, STARTS_NOTED), Array(STARTS_NOTED).fill(false))
  t.equal(noticed.at(-1), undefined, 'more starts than a nonce goes back')
  t.equal(goesOnFrom(restored[1] as Boot, third), false, 'of the same count')
})

t.test('starts that are not on the disk, and those of older programs, are not judged', async t => {
  const [first] = starts('a', 1) as [Boot]
  const third: Boot = { counter: 3 * RESTARTS_MAX, nonce: nonceOf('c'.repeat(16), 3, first) }
  t.equal(goesOnFrom(third, first), true)
  const second: Boot = { counter: 2 * RESTARTS_MAX, nonce: 'b'.repeat(16) }
  t.equal(goesOnFrom(third, second), undefined, 'an older program noted none')
  t.equal(goesOnFrom({ counter: 4 * RESTARTS_MAX, nonce: 'd'.repeat(16) }, third), undefined, 'nor says one')
  t.equal(
    goesOnFrom({ counter: 9 * RESTARTS_MAX, nonce: nonceOf('d'.repeat(16), 9, third) }, third),
    undefined,
  )
  const zeros: Boot = { counter: RESTARTS_MAX, nonce: nonceOf('0'.repeat(16), 1, undefined) }
  t.not(zeros.nonce.slice(0, 4), '0000', 'which would stand for a start that is not known')
})

t.test('starts of the machine within one start of the process are one', async t => {
  const [boot] = starts('a', 1) as [Boot]
  t.equal(goesOnFrom({ ...boot, counter: boot.counter + 2 }, boot), true)
  t.equal(
    goesOnFrom({ ...boot, counter: boot.counter + 2, nonce: nonceOf('f'.repeat(16), 1, undefined) }, boot),
    false,
  )
  t.equal(goesOnFrom(boot, boot), true)
})
