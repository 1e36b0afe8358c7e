import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { runningNetwork, runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

type Test = { teardown(end: () => unknown): unknown }

async function openShell(t: Test) {
  const { url } = await runningNode(t)
  const run = async (lines: readonly string[], environment: Record<string, string> = {}) => {
    const session = scriptedSession({
      stdin: `${lines.join('\n')}\n`,
      environment: { ALTERED_CHORD_NODE: url, ...environment },
    })
    const code = await runCli(['shell'], session)
    return { code, out: session.out(), err: session.err() }
  }
  return { url, run }
}

t.test('from a pipe: the commands, and no prompt', async t => {
  const { run, url } = await openShell(t)
  const { host } = new URL(url)
  const folder = t.testdir({ 'a file.txt': 'hello\n' })
  t.same(
    await run([
      `put "${join(folder, 'a file.txt')}" docs/one.txt`,
      'list',
      '',
      '# a comment',
      '   get docs/one.txt -',
      `insert 'Like a Rolling Stone' node\\ 5`,
      'query "Like a Rolling Stone"',
      'query *',
      'delete "Like a Rolling Stone"',
      'listnodes',
      'setnode',
      'exit',
      'list',
    ]),
    {
      code: 0,
      err: '',
      out: [
        'docs/one.txt  6 B  "1.1-5891b5b5"',
        'docs/one.txt',
        'hello',
        'inserted',
        'node 5',
        '{"key":"Like a Rolling Stone","value":"node 5"}',
        'deleted',
        `* ${host}  alive`,
        url,
        '',
      ].join('\n'),
    },
  )
})

t.test('what fails is said on stderr, ends the script, and the exit code is 1', async t => {
  const { run } = await openShell(t)
  const cases: [string, RegExp][] = [
    ['query none', /^No pair has this key\. \(FILE_NOT_FOUND\)\n$/],
    ['get', /missing required argument/],
    ['start', /"start" is no command of the shell/],
    ['shell', /"shell" is no command of the shell/],
    ['list "a', /a quote is not closed/],
    ['list a\\', /a quote is not closed, or a backslash stands at the end/],
    ['help nonsense', /there is no command "nonsense"/],
    ['put - x', /would read what the shell itself reads/],
    ['list --nonsense', /unknown option/],
  ]
  for (const [line, err] of cases) {
    const result = await run([line, 'insert after it'])
    t.equal(result.code, 1, line)
    t.match(result.err, err, line)
    t.equal(result.out, '', `${line}: and the next one does not run`)
  }
})

t.test('help names every command, and all about one', async t => {
  const { run } = await openShell(t)
  const { out, code } = await run(['help'])
  t.equal(code, 0)
  for (const name of [
    'setnode',
    'listnodes',
    'insert',
    'query',
    'delete',
    'put',
    'get',
    'list',
    'lookup',
    'overlay',
    'join',
    'depart',
    'help',
    'exit',
  ])
    t.match(out, new RegExp(`^${name} `, 'm'))
  t.match(await run(['help list']), { code: 0, out: /Usage: altered-chord list/ })
  t.match(await run(['help setnode']), { code: 0, out: /^setnode NODE/ })
})

t.test('setnode changes the node for what follows', async t => {
  const { run, url } = await openShell(t)
  const other = await runningNode(t)
  const { out, code, err } = await run([
    `setnode ${other.url}`,
    'insert a 1',
    'setnode',
    `setnode ${new URL(url).port}`,
    'setnode',
    'query a',
  ])
  t.equal(out, `inserted\n${other.url}\n${url}\n`)
  t.equal(code, 1)
  t.match(err, /No pair has this key/)
})

t.test('nodes of a network', async t => {
  const [first, second] = await runningNetwork(t, 2)
  const session = scriptedSession({ stdin: 'listnodes\noverlay\n' })
  t.equal(await runCli(['shell', '--node', first?.url ?? ''], session), 0)
  t.match(session.out(), new RegExp(`^\\* ${new URL(first?.url ?? '').host}  alive$`, 'm'))
  t.match(session.out(), new RegExp(`^  ${new URL(second?.url ?? '').host}  alive$`, 'm'))
  t.match(session.out(), / % {2}head of \d+, keeps 16 of 16 ranges/)
})

t.test('a pipe leaves no history', async t => {
  const { run } = await openShell(t)
  const state = t.testdir({})
  await run(['list'], { XDG_STATE_HOME: state })
  t.notOk(existsSync(join(state, 'altered-chord')))
})

t.test('an interrupt ends a shell in a pipe', async t => {
  const { url } = await runningNode(t)
  const session = scriptedSession({ stdin: 'list\n', environment: { ALTERED_CHORD_NODE: url } })
  session.interrupt(new Error('interrupted by SIGINT'))
  t.equal(await runCli(['shell'], session), 130)
})

t.test('a script does not go on at another node than the one that it names', async t => {
  const { run } = await openShell(t)
  for (const [line, err] of [
    ['setnode 1', /No node answers at http:\/\/127\.0\.0\.1:1 .*what follows is not run/],
    ['setnode a/b', /a node is a URL/],
  ] as const)
    t.match(await run([line, 'insert after it']), { code: 1, out: '', err }, line)
})
