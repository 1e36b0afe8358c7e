import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('gossip set, get, list', async t => {
  const { url } = await runningNode(t, { gossip: true })
  const run = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(['gossip', ...args], session)
    return { code, out: session.out(), err: session.err() }
  }
  t.match(await run('set', 'color', 'blue', '--ttl', '60'), { code: 0, out: 'color  for 60 s\n' })
  t.match(await run('get', 'color'), { code: 0, out: 'blue\n' })
  t.match(await run('list'), { code: 0, out: /^color {2}blue {2}\(\d+ s left, from 127\.0\.0\.1:\d+\)\n$/ })
  t.match(JSON.parse((await run('list', '--json')).out), { key: 'color', value: 'blue' })
  t.match(JSON.parse((await run('get', 'color', '--json')).out), { key: 'color', value: 'blue' })
  t.match(JSON.parse((await run('set', 'size', 'large', '--json')).out), { key: 'size', value: 'large' })
  t.match(await run('get', 'none'), { code: 1, err: /No pair with this key/ })
  t.match(await run('set', 'color', 'blue', '--ttl', '1000000000'), { code: 1, err: /1 to 86400 seconds/ })
  t.match(await run('set', 'color', 'blue', '--ttl', 'soon'), { code: 2, err: /--ttl is "soon"/ })
})

t.test('a node that does not gossip says so', async t => {
  const { url } = await runningNode(t)
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  t.equal(await runCli(['gossip', 'list'], session), 1)
  t.match(session.err(), /start it with --gossip/)
})
