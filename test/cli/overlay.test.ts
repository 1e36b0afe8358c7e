import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { drawNodes } from '../../src/cli/overlay.ts'
import type { OverlayRange } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

const range = (
  share: number,
  replicas: string[],
  state: OverlayRange['state'] = 'serving',
): OverlayRange => ({
  lo: '0'.repeat(40),
  hi: 'f'.repeat(40),
  share,
  head: replicas[0] ?? null,
  replicas,
  witnesses: [],
  epoch: 1,
  state,
})

t.test('a bar for each node, the largest part first', async t => {
  const lines = drawNodes([range(0.5, ['b:1', 'a:1']), range(0.25, ['a:1', 'b:1']), range(0.25, ['b:1'])])
  t.same(lines, [
    `b:1  ${'#'.repeat(30)}            75.0 %  head of 2, keeps 3 of 3 ranges`,
    `a:1  ${'#'.repeat(10)}${' '.repeat(20)}            25.0 %  head of 1, keeps 2 of 3 ranges`,
  ])
})

t.test('what is not as it should be is told', async t => {
  const lines = drawNodes([range(0.5, ['a:1']), range(0.25, ['a:1'], 'changing'), range(0.25, [], 'unknown')])
  t.match(lines[1], /^\(nobody known\) .* 25\.0 % /)
  t.equal(lines[2], '2 of 3 ranges are changing')
})

t.test('of a node that runs', async t => {
  const { url } = await runningNode(t)
  const host = new URL(url).host
  const overlay = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    t.equal(await runCli(['overlay', ...args], session), 0)
    return session.out()
  }
  t.equal(await overlay(), `${host}  ${'#'.repeat(40)} 100.0 %  head of 8, keeps 8 of 8 ranges\n`)
  const ring = (await overlay('--ring')).trimEnd().split('\n')
  t.equal(ring.length, 17)
  t.match(ring[0], /^ +A+$/)
  t.equal(ring.at(-1), `A  ${host}  ${'#'.repeat(40)} 100.0 %  head of 8, keeps 8 of 8 ranges`)
  const lines = (await overlay('--ranges')).trimEnd().split('\n')
  t.equal(lines.length, 10)
  t.match(
    lines[2],
    new RegExp(`^\\([0-9a-f]{8}\\.\\. [0-9a-f]{8}\\.\\.\\] +[0-9.]+ % {2}epoch 1 {2}serving +${host}$`),
  )
  t.equal(JSON.parse(await overlay('--json')).ranges.length, 8)
})
