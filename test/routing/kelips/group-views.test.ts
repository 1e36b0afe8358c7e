import t from 'tap'
import type { Identifier, NodeId } from '../../../src/ring/identifier.ts'
import { GroupViews, LACKING_TOLD_MAX, reaches } from '../../../src/routing/kelips/group-views.ts'
import { arcOfGroup } from '../../../src/routing/kelips/groups.ts'
import type { View, ViewId } from '../../../src/views/view.ts'

const at = (digit: string) => digit.padEnd(40, '0') as Identifier

function view(lo: string, hi: string): View {
  const id = `1-${lo}-${hi}` as ViewId
  return { id, epoch: 1, lo: at(lo), hi: at(hi), replicas: ['n' as NodeId], acceptors: [], sources: [] }
}

const digits = [...'0123456789abcdef']
const all = digits.map((digit, index) => view(digits.at(index - 1) as string, digit))
const cut = { groups: 4, group: arcOfGroup(1, 4) }

t.test('a view reaches an arc in which it has keys', async t => {
  const arc = arcOfGroup(1, 4)
  t.ok(reaches(view('3', '5'), arc))
  t.ok(reaches(view('6', '9'), arc))
  t.ok(reaches(view('1', '9'), arc), 'the arc lies within it')
  t.ok(reaches(view('9', '8'), arc), 'nearly the whole ring')
  t.notOk(reaches(view('8', '9'), arc))
})

t.test('the head tells a node of another group its views there, a few at a time and all in turn', async t => {
  const headed = all.slice(4, 8)
  const views = new GroupViews({
    cut: { ...cut, group: arcOfGroup(3, 4) },
    newest: () => all,
    headed: () => headed,
  })
  const told = new Set<string>()
  for (let round = 0; round < 4; round++) {
    const said = views.say(at('5'))
    t.equal(said.known, undefined, 'what lies there is not of its group')
    for (const { id } of said.views) told.add(id)
  }
  t.same(told, new Set(headed.map(({ id }) => id)))
  t.same(views.say(at('9')).views, [], 'to a group that they do not reach they are not told')
})

t.test('a node of the group is told what it lacks', async t => {
  const known = new Map<string, View>()
  const asking = new GroupViews({ cut, newest: () => [...known.values()], headed: () => [] })
  const asked = new GroupViews({ cut, newest: () => all, headed: () => [] })
  for (let round = 0; round < 20; round++) {
    const said = asking.say(at('5'))
    const answer = asked.say(at('6'), said)
    t.ok(answer.views.length <= LACKING_TOLD_MAX)
    for (const one of answer.views) known.set(one.id, one)
  }
  const ofGroup = all.filter(one => reaches(one, cut.group)).map(({ id }) => id)
  t.same(new Set(known.keys()), new Set(ofGroup))
  t.ok(ofGroup.every(id => asking.isKept(all.find(one => one.id === id) as View)))
  t.notOk(asking.isKept(view('a', 'b')))
})
