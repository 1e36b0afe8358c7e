import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('a list: paths, long, one level, as JSON', async t => {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  for (const path of ['b/1', 'a', 'b/2']) await client.put(path, path, { mediaType: 'text/plain' })
  await client.close()
  const list = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(['list', ...args], session)
    t.equal(code, session.err() === '' ? 0 : 1)
    return session.out() + session.err()
  }
  t.equal(await list(), 'a\nb/1\nb/2\n')
  t.equal(await list('b/'), 'b/1\nb/2\n')
  t.equal(await list('/'), 'a\nb/1\nb/2\n')
  for (const [...args] of [['nothing'], ['nothing', '--level'], ['b/3', '-l'], ['nothing', '--json']])
    t.equal(await list(...args), `${args[0]}: no path begins like this\n`, args.join(' '))
  t.equal(await list('x*'), 'x*: no path fits this pattern\n')
  t.equal(await list('--level'), 'a\nb/\n')
  t.match(await list('-l', 'a'), /^ {13}1 {2}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}a {2}\(text\/plain\)\n$/)
  const columns = (await list('-l', '--level')).trimEnd().split('\n')
  t.equal(columns[0]?.indexOf('a  ('), columns[1]?.indexOf('b/'), 'folders stand in the column of the paths')
  t.match(JSON.parse(await list('--json', 'a')), { path: 'a', size: 1, mediaType: 'text/plain' })
})

t.test('a store without files has an empty list, and that is no error', async t => {
  const { url } = await runningNode(t)
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  t.equal(await runCli(['ls'], session), 0)
  t.equal(session.out() + session.err(), '')
})
