import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function store(t: { teardown(end: () => unknown): unknown }) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const run = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(args, session)
    return { code, out: session.out(), err: session.err() }
  }
  return { run, client }
}

t.test('a tree comes back with its modes, times, links and folders, and again costs nothing', async t => {
  const { run } = await store(t)
  const base = t.testdir({ from: { x: { a: 'aa', empty: {} }, b: '', link: t.fixture('symlink', 'x/a') } })
  const [from, to] = [join(base, 'from'), join(base, 'to')]
  chmodSync(join(from, 'x/a'), 0o751)
  symlinkSync('/nowhere/at all', join(from, 'dangling'))
  utimesSync(join(from, 'x/a'), 1000, 1000.25)
  chmodSync(join(from, 'x'), 0o700)
  utimesSync(join(from, 'x'), 2000, 2000)
  t.match(await run('put', '-r', '--folders', from, 'b'), { code: 0, err: '' })
  t.match(await run('get', '-r', 'b', to), { code: 0, err: '' })
  const seen = (root: string) =>
    ['x/a', 'b', 'link', 'dangling', 'x', 'x/empty'].map(name => {
      const { mode, mtimeMs } = lstatSync(join(root, name))
      return { name, mode, mtimeMs: Math.round(mtimeMs) }
    })
  t.same(seen(to), seen(from))
  t.equal(readFileSync(join(to, 'x/a'), 'utf8'), 'aa')
  t.equal(readlinkSync(join(to, 'dangling')), '/nowhere/at all')
  t.match(await run('get', '-r', 'b', to), { code: 0, out: '0 files fetched, 0 B; 6 unchanged\n', err: '' })
  chmodSync(join(to, 'x/a'), 0o600)
  writeFileSync(join(to, 'b'), 'changed')
  t.match(await run('get', '-r', 'b', to), { code: 0, out: '1 file fetched, 0 B; 5 unchanged\n' })
  t.same(seen(to), seen(from), 'a mode is put right without fetching')
  for (const flag of ['--no-links', '--no-meta'])
    t.match(await run('get', '-r', flag, 'b', join(base, flag)), {
      code: 0,
      err: /skipped \(symbolic link\): b\/link/,
    })
  t.not(lstatSync(join(base, '--no-meta/x/a')).mtimeMs, 1000.25)
})

t.test('--delete removes what the store does not have, --dry-run says so', async t => {
  const { run, client } = await store(t)
  for (const path of ['b/a', 'b/x/c']) await client.put(path, path)
  const to = t.testdir({ a: 'b/a', old: { deep: 'x', 'kept.log': '' }, stale: '' })
  const mirror = ['get', '-r', '--delete', '--exclude', '*.log', 'b', to]
  t.match(await run(...mirror, '-n'), {
    code: 0,
    out: 'would be fetched: b/x/c\nwould be removed: old/deep\nwould be removed: stale\n1 file would be fetched, 5 B; 1 unchanged; 2 would be removed\n',
  })
  t.same(readdirSync(to).sort(), ['a', 'old', 'stale'])
  t.match(await run(...mirror), { code: 0, out: '1 file fetched, 5 B; 1 unchanged; 2 removed\n' })
  t.same(readdirSync(to, { recursive: true }).sort(), ['a', 'old', 'old/kept.log', 'x', 'x/c'])
  t.match(await run('get', '-r', '--delete', 'none', to), { code: 1, err: /nothing lies below/ })
  t.ok(readdirSync(to).includes('a'), 'a path without files removes nothing')
  t.match(await run('get', '--delete', 'b/a', to), { code: 2 })
})

t.test('links that lead elsewhere are made, and nothing is written through them', async t => {
  const { run, client } = await store(t)
  const base = t.testdir({ outside: { victim: 'old' }, to: {} })
  const to = join(base, 'to')
  await client.put('b/evil', '', { meta: { link: '../outside' } })
  await client.put('b/evil.txt', '', { meta: { link: '../outside/victim', mode: '0777', mtime: '1.0' } })
  await client.put('b/evil/victim', 'new')
  t.match(await run('get', '-r', 'b', to), { code: 1, err: /b\/evil is a file, so nothing can be below it/ })
  t.ok(lstatSync(join(to, 'evil')).isSymbolicLink())
  // Now the links are there before: also then nothing goes through them.
  await client.remove('b/evil')
  t.match(await run('get', '-r', 'b', to), { code: 1, err: /symbolic link, which is not followed/ })
  await client.put('b/evil.txt', 'new', { overwrite: true })
  await run('get', '-r', 'b', to)
  t.equal(readFileSync(join(base, 'outside/victim'), 'utf8'), 'old')
  t.not(lstatSync(join(base, 'outside/victim')).mtimeMs, 1000)
  t.ok(lstatSync(join(to, 'evil.txt')).isFile(), 'the link was replaced, and not what it leads to')
})

t.test('a file in the place of the folder is named once, and stays', async t => {
  const { run, client } = await store(t)
  const to = join(t.testdir({ to: 'a file' }), 'to')
  for (const path of ['a/1', 'a/2']) await client.put(path, '')
  t.same(await run('get', '-r', 'a', to), {
    code: 1,
    out: '',
    err: `not fetched: a: ${to} is a file here, and no folder\n`,
  })
  t.equal(readFileSync(to, 'utf8'), 'a file')
})

t.test('a folder or a file in the way of a link, and a target that is none', async t => {
  const { run, client } = await store(t)
  const to = t.testdir({ a: {}, b: 'old' })
  mkdirSync(join(to, 'a/x'))
  await client.put('p/a', '', { meta: { link: 'x' } })
  await client.put('p/b', '', { meta: { link: 'x' } })
  await client.put('p/c', '', { meta: { link: 'a b' } })
  const result = await run('get', '-r', 'p', to)
  t.match(result, { code: 1, err: /not written: p\/a: .*is a folder/ })
  t.match(result.err, /not written: p\/c: .*makes no sense/)
  t.equal(readlinkSync(join(to, 'b')), 'x')
})
