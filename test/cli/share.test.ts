import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function share(node: string, ...args: string[]) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: node } })
  const code = await runCli(['share', ...args], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('prints a link that works', async t => {
  const { url } = await runningNode(t)
  await fetch(`${url}/put/a/b%20c.txt`, { method: 'PUT', body: 'bc' })
  const file = await share(url, '--for', '12h', 'a/b c.txt')
  t.equal(file.code, 0)
  const [link = '', until = ''] = file.out.trim().split('  until ')
  t.ok(link.startsWith(`${url}/shared/`))
  t.ok(Date.parse(until) - Date.now() < 12 * 3_600_000 + 2000)
  t.equal(await (await fetch(link)).text(), 'bc')
  const folder = JSON.parse((await share(url, '--json', 'a/')).out) as { link: string; path: string }
  t.equal(folder.path, 'a/')
  t.match(await (await fetch(folder.link)).json(), { prefix: 'a/', files: [{ path: 'a/b c.txt' }] })
  t.match(await share(url, 'a/nothing'), { code: 1, out: '', err: /FILE_NOT_FOUND/ })
  t.match(await share(url, '--for', 'soon', 'a/'), { code: 1, err: /INVALID_REQUEST/ })
})
