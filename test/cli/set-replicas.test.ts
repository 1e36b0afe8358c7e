import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { runningNetwork } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function setReplicas(url: string, ...args: string[]) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  const code = await runCli(['set', 'replicas', ...args], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('the number of copies is changed, and waited for', async t => {
  const [first] = await runningNetwork(t, 2)
  const url = first?.url as string
  const one = await setReplicas(url, '1')
  t.match(one, { code: 0, out: '1 copy, 1 needed for a write\n', err: /^16 of 16 ranges have 1 copy$/m })
  const { ranges } = (await (await fetch(`${url}/overlay`)).json()) as { ranges: { replicas: string[] }[] }
  t.ok(ranges.every(({ replicas }) => replicas.length === 1))
  const more = await setReplicas(url, '7', '--min', '2', '--no-wait', '--json')
  t.same(JSON.parse(more.out), { replicas: 7, minReplicas: 2, revision: 2, missed: [] })
  t.match(await setReplicas(url, '7'), { code: 0, err: /^16 of 16 ranges have 2 copies$/m })
  t.match(await setReplicas(url, '16'), { code: 2, out: '', err: /a whole number from 1 to 15/ })
  t.match(await setReplicas(url, '2', '--min', '3'), { code: 1, err: /INVALID_REQUEST/ })
})
