import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('a running node goes into another network, once', async t => {
  const [first, second] = [await runningNode(t), await runningNode(t)]
  const join = async (...args: string[]) => {
    const session = scriptedSession()
    const code = await runCli(['join', '--node', second.url, ...args], session)
    return { code, out: session.out(), err: session.err() }
  }
  t.match(await join('nowhere'), { code: 1, err: /HOST:PORT.*\(INVALID_REQUEST\)/ })
  t.match(await join(first.url), { code: 0, out: /^joined network [0-9a-f]{32}\n$/ })
  t.match(await join(first.url), { code: 0, out: /^already in network [0-9a-f]{32}\n$/ })
  t.match(await join(), { code: 0, out: /^already in / })
})
