import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('a pattern removes what fits, after it was said', async t => {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  for (const path of ['a/1.jpg', 'a/2.jpg', 'a/3.txt']) await client.put(path, 'x')
  const run = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(args, session)
    return { code, out: session.out(), err: session.err() }
  }
  t.same((await run('rm', '-n', 'a/*.jpg')).out.split('\n').sort(), [
    '',
    'would be removed: a/1.jpg',
    'would be removed: a/2.jpg',
  ])
  t.same((await run('rm', '--json', 'a/*.jpg')).out.split('\n').sort(), [
    '',
    '{"path":"a/1.jpg","removed":true}',
    '{"path":"a/2.jpg","removed":true}',
  ])
  t.match(await run('rm', 'a/*.jpg'), { code: 1, err: /no path fits this pattern/ })
  t.match(await run('rm', 'a'), { code: 1, err: /it is a folder; add -r/ })
  t.match(await run('cp', 'a', 'b'), { code: 1, err: /it is a folder; add -r for what lies in it/ })
  t.match(await run('rm', '-r', '--json', '-n', 'a'), { out: '{"path":"a/3.txt","removed":false}\n' })
  t.match(await run('ls', 'a/*.jpg'), { code: 1, err: /no path fits/ })
  t.match(await run('ls', 'a/*.t?t'), { code: 0, out: 'a/3.txt\n' })
  t.match(await run('cat', 'a/*.txt'), { code: 0, out: 'x' })
  t.match(await run('exists', '--json', 'a/3.txt'), { code: 0, out: 'true\n' })
  t.match(await run('status', '--json'), { code: 0, out: /^\{.*\}\n$/ })
  t.match(await run('verify', '--json'), { code: 0, out: /^\{.*"done":true\}\n$/ })
  t.match(await run('recover', '--json'), { code: 0, out: /^\{.*"ranges":\[\].*\}\n$/ })
})
