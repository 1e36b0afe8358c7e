import { text } from 'node:stream/consumers'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { receiptLine } from '../../src/cli/receipt-line.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

type Test = { teardown(end: () => unknown): unknown }

async function store(t: Test, files: Record<string, string>) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  for (const [path, content] of Object.entries(files)) await client.put(path, content)
  const run = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(args, session)
    return { code, out: session.out(), err: session.err() }
  }
  const paths = async () => {
    const list: string[] = []
    for await (const { path } of client.list()) list.push(path)
    return list
  }
  return { client, run, paths }
}

t.test('exists: printed, and as exit code', async t => {
  const { run } = await store(t, { a: '1' })
  t.same(await run('exists', 'a'), { code: 0, out: 'true\n', err: '' })
  t.same(await run('exists', 'b'), { code: 1, out: 'false\n', err: '' })
  t.match(await run('exists', '../a'), { code: 1, out: '', err: /INVALID_PATH/ })
})

t.test('copy and move', async t => {
  const { client, run, paths } = await store(t, { a: '1', b: '2' })
  t.match(await run('copy', 'a', 'c'), { code: 0, out: /^c {2}1 B {2}"/ })
  t.match(await run('copy', 'a', 'b'), { code: 1, out: '', err: /FILE_EXISTS/ })
  t.match(JSON.parse((await run('copy', '--overwrite', '--json', 'a', 'b')).out), { path: 'b', size: 1 })
  t.match(await run('move', 'a', 'd/e'), { code: 0 })
  t.match(await run('move', 'a', 'f'), { code: 1, err: /FILE_NOT_FOUND/ })
  t.same(await paths(), ['b', 'c', 'd/e'])
  t.equal(await text((await client.get('b')).body), '1')
})

t.test('copy and move: folders, patterns, several', async t => {
  const { client, run, paths } = await store(t, { 'f/1': '1', 'f/s/2': '22', 'g/3': '3', 'x.md': 'x' })
  await client.copy('f/1', 'f/1', { overwrite: true, meta: { mode: '644' } })
  t.same(await run('cp', '-r', 'f', 'h'), { code: 0, out: '2 files copied, 3 B\n', err: '' })
  t.same((await client.get('h/1')).meta, { mode: '644' })
  t.match(await run('cp', '-r', 'f/', 'h'), { code: 0, out: '0 files copied, 0 B; 2 unchanged\n' }, 'again')
  await client.put('h/1', 'other', { overwrite: true })
  t.match(await run('cp', '-r', 'f', 'h'), {
    code: 1,
    out: '0 files copied, 0 B; 1 unchanged\n',
    err: /^not copied: f\/1 to h\/1: .*\(FILE_EXISTS\)\n$/,
  })
  t.match(await run('cp', '-r', '--overwrite', 'f', 'h'), {
    code: 0,
    out: '1 file copied, 1 B; 1 unchanged\n',
  })
  t.match(await run('mv', '-rn', 'f', 'g', 'all/'), { code: 0, out: /would be moved: f\/1 to all\/f\/1\n/ })
  t.match(await run('mv', '-r', 'f', 'g', 'all/'), { code: 0, out: '3 files moved, 4 B\n' })
  t.same(await paths(), ['all/f/1', 'all/f/s/2', 'all/g/3', 'h/1', 'h/s/2', 'x.md'])
  t.match(await run('cp', 'x.md', 'all/**/[13]', 'few/'), { code: 0, out: '3 files copied, 3 B\n' })
  t.match(await run('mv', 'few/x.md', 'all/'), { code: 0, out: /^all\/x.md {2}/ })
  t.match(await run('mv', '-r', 'all/x.md', 'y'), { code: 0, out: '1 file moved, 1 B\n' }, 'a file, too')
  t.match(await run('mv', '-r', 'none', 'y'), { code: 1, err: /^not moved: none to y: .*FILE_NOT_FOUND/ })
  t.match(await run('mv', 'h', 'y'), { code: 1, err: /it is a folder; add -r/ })
  t.match(await run('mv', '-r', '/', 'root'), { code: 2, err: /one lies in the other/ })
  for (const wrong of [
    ['h', 'h/in'],
    ['h/s', 'h'],
    ['h', 'h'],
    ['h', '/'],
  ])
    t.match(await run('cp', '-r', ...wrong), { code: 2, err: /one lies in the other/ })
  t.match(await run('mv', 'h/1', 'y', 'one'), { code: 2, err: /end the DESTINATION with "\/"/ })
  t.match(await run('mv', 'h/1'), { code: 2, err: /Say what to move and where/ })
  t.match(await run('cp', '-r', '', 'y'), { code: 2, err: /A path is empty/ })
})

t.test('remove: several, a tree, one version', async t => {
  const { client, run, paths } = await store(t, { a: '1', b: '2', 'f/1': '', 'f/2': '', ff: '', g: '' })
  t.match(await run('remove', 'a', 'none', 'b'), {
    code: 1,
    err: /^not removed: none: .*\(FILE_NOT_FOUND\)\n$/,
  })
  t.same(await run('remove', '-r', 'f'), { code: 0, out: '2 files removed\n', err: '' })
  t.same(await paths(), ['ff', 'g'], 'a name that begins alike is not below it')
  t.match(await run('remove', '-r', 'f'), { code: 1, err: /nothing lies below this path/ })
  const old = (await client.get('g')).etag
  await client.put('g', 'new', { overwrite: true })
  t.match(await run('remove', '--if-match', old, 'g'), { code: 1, err: /PRECONDITION_FAILED/ })
  t.match(await run('remove', '-r', '/'), { code: 0 })
  t.same(await paths(), [])
})

t.test('status is what the node says', async t => {
  const { run } = await store(t, { a: '12345' })
  const { code, out } = await run('status')
  t.equal(code, 0)
  t.match(JSON.parse(out), { ready: true, files: 1, bytes: 5, durable: false })
})

t.test('a receipt for people', async t => {
  const receipt = { path: 'a/b', size: 2048, etag: '"1.1-abc"' }
  t.equal(receiptLine(receipt as Parameters<typeof receiptLine>[0]), 'a/b  2 KiB  "1.1-abc"')
})

t.test('the names that a shell has, and a folder where a file is wanted', async t => {
  const { run, paths } = await store(t, { 'f/1': '1', 'f/2': '22' })
  t.match(await run('cp', 'f/1', 'a'), { code: 0 })
  t.match(await run('mv', 'a', 'b'), { code: 0 })
  t.match(await run('cat', 'f/1', 'f/2'), { code: 0, out: '122' })
  t.match(await run('ls', '-lh', 'f/2'), { code: 0, out: /^ +2 B {2}.*f\/2/ })
  for (const verb of ['rm', 'cat'])
    t.match(await run(verb, 'f'), { code: 1, err: /f: it is a folder; add -r/ })
  t.match(await run('rm', 'b'), { code: 0 })
  t.same(await paths(), ['f/1', 'f/2'])
})

t.test('a tree is removed on a terminal when whoever asked for it agrees', async t => {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const remove = async (answer: string, ...args: string[]) => {
    await client.put('f/1', '12', { overwrite: true })
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url }, stdin: answer, isTTY: true })
    Object.assign(session.stdin, { isTTY: true })
    const code = await runCli(['rm', '-r', ...args, 'f'], session)
    return { code, out: session.out(), err: session.err(), isThere: await client.exists('f/1') }
  }
  const asked = /Remove 1 file, 2 B\? \[y\/N\]/
  t.match(await remove('n\n'), { code: 0, out: asked, err: /nothing was removed/, isThere: true })
  t.match(await remove('\n'), { isThere: true })
  t.match(await remove('y\n'), { code: 0, out: asked, isThere: false })
  t.match(await remove('', '--yes'), { code: 0, out: '1 file removed\n', isThere: false })
})
