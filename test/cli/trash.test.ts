import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function node(t: Test) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const run = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(args, session)
    return { code, out: session.out(), err: session.err() }
  }
  const text = async (path: string) => (await (await client.get(path)).body.toArray()).join('')
  return { client, run, text }
}

t.test('a version is listed and put back, where it was or elsewhere', async t => {
  const { client, run, text } = await node(t)
  const first = await client.put('docs/a', 'one')
  await client.put('docs/a', 'two!', { overwrite: true })
  await client.remove('docs/a')
  const version = `${first.version.epoch}.${first.version.seq}`
  const listed = await run('trash', 'list')
  t.match(
    listed.out,
    new RegExp(` 3  .*Z  replaced  ${version} +docs/a\n +4  .*Z  removed +\\d+\\.\\d+ +docs/a\n`),
  )
  t.match((await run('trash', 'list', 'other')).out, '')
  const lines = (await run('trash', 'list', '--json', 'docs/')).out.trim().split('\n')
  t.match(JSON.parse(lines[0] as string), { path: 'docs/a', version, reason: 'replaced', size: 3 })
  t.match(await run('trash', 'restore', 'docs/a'), { code: 0, out: /docs\/a {2}4 B/ })
  t.equal(await text('docs/a'), 'two!')
  t.match(await run('trash', 'restore', 'docs/a'), { code: 1, err: /A file has this path already/ })
  t.match(await run('trash', 'restore', 'docs/a', '--version', version, '--to', 'b'), { code: 0 })
  t.equal(await text('b'), 'one')
  t.match(await run('trash', 'restore', 'docs/a', '--overwrite', '--json'), {
    code: 0,
    out: /"path":"docs\/a"/,
  })
  t.equal(await text('docs/a'), 'one')
  const left = (await run('trash', 'list', '--json')).out
  t.match(left, /"size":4.*"reason":"replaced"/, 'what stood there is in the trash')
  t.notMatch(left, /"size":3/, 'what came back is not')
  t.match(await run('trash', 'restore', 'nowhere'), { code: 1, err: /The trash has nothing of this path/ })
  t.match(await run('trash', 'restore', 'docs/a', '--version', '9.9'), { code: 1, err: /no version 9\.9/ })
})

t.test('a tree that was removed by a slip is as it was', { skip: !hasRsync() && 'needs rsync' }, async t => {
  const { client, run } = await node(t)
  const folder = t.testdir({ tree: { 'a.txt': 'a', 'big.bin': 'x'.repeat(300_000), empty: '' } })
  const tree = join(folder, 'tree')
  mkdirSync(join(tree, 'deep/er'), { recursive: true })
  for (let i = 0; i < 30; i++)
    writeFileSync(join(tree, 'deep/er', `ü ${i}`), `${i}`, { mode: i % 2 ? 0o600 : 0o755 })
  symlinkSync('a.txt', join(tree, 'link'))
  utimesSync(join(tree, 'a.txt'), 1_000_000_000, 1_000_000_000)
  t.equal((await run('put', '-r', tree, 'backup')).code, 0)
  await client.put('backup/later', 'x')
  await client.remove('backup/later')
  await new Promise(resolve => setTimeout(resolve, 1_100))
  t.equal((await run('remove', '-r', '--yes', 'backup')).code, 0)
  t.equal((await run('list', 'backup/')).out, '')
  t.match(await run('trash', 'restore', '-r', 'backup', '--within', '1s'), {
    code: 0,
    err: /^34 files restored/,
  })
  t.equal((await run('get', '-r', 'backup', join(folder, 'back'))).code, 0)
  t.equal(execFileSync('rsync', ['-aincO', '--delete', `${tree}/`, `${folder}/back/`]).toString(), '')
  t.match(await run('trash', 'restore', '-r', 'backup', '--to', 'other'), { err: /^1 file restored/ })
  t.equal((await run('list', 'other/')).out, 'other/later\n')
  t.match(await run('trash', 'restore', '-r', 'nothing'), {
    code: 1,
    err: /nothing below this path was removed/,
  })
})

t.test('it is emptied for good, after a question on a terminal', async t => {
  const { client, run } = await node(t)
  for (const path of ['a/1', 'a/2', 'b']) {
    await client.put(path, 'x')
    await client.remove(path)
  }
  t.match(await run('trash', 'empty', '--older-than', '1d'), { err: /^0 versions/ })
  t.match(await run('trash', 'empty', 'a/'), { code: 0, err: /^2 versions, 2 B, are gone/ })
  t.equal((await run('trash', 'list', '--json')).out.match(/"path":"[^"]*"/g)?.join(), '"path":"b"')
  t.match(await run('trash', 'restore', 'a/1'), { code: 1 })
  t.match(await run('trash', 'restore', '-r', 'a', '--version', '1.1'), {
    code: 2,
    err: /--version is for one file/,
  })
  t.match(await run('trash', 'restore', 'a', '--within', '1h'), { code: 2, err: /--within goes with -r/ })
  t.match(await run('trash', 'restore', '-r', 'a', '--within', '7'), { code: 2, err: /--within is a time/ })
})

function hasRsync(): boolean {
  try {
    execFileSync('rsync', ['--version'])
    return true
  } catch {
    return false
  }
}
