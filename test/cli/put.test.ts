import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

type Test = { teardown(end: () => unknown): unknown }

async function store(t: Test, flags = {}) {
  const { url } = await runningNode(t, flags)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const put = async (args: string[], init: Parameters<typeof scriptedSession>[0] = {}) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url }, ...init })
    const code = await runCli(['put', ...args], session)
    return { code, out: session.out(), err: session.err() }
  }
  const contents = async () => {
    const files: Record<string, string> = {}
    for await (const { path } of client.list()) files[path] = await text((await client.get(path)).body)
    return files
  }
  return { put, client, contents }
}

t.test('one file: to a path, below a path, with its media type', async t => {
  const { put, client, contents } = await store(t)
  const file = join(t.testdir({ 'a.html': 'html' }), 'a.html')
  t.match(await put([file, 'x/page.html']), {
    code: 0,
    out: /^x\/page.html {2}4 B {2}"1\.\d+-\w+"\n$/,
    err: '',
  })
  t.match(await put([file, 'y/']), { code: 0 })
  t.match(await put([file, '/']), { code: 0 })
  t.match(await put(['--type', 'text/odd', file, 'z']), { code: 0 })
  t.same(await contents(), { 'a.html': 'html', 'x/page.html': 'html', 'y/a.html': 'html', z: 'html' })
  t.equal((await client.get('y/a.html')).mediaType, 'text/html')
  t.equal((await client.get('z')).mediaType, 'text/odd')
})

t.test('create-only, overwrite, if-match, receipts as JSON', async t => {
  const { put, contents } = await store(t)
  const folder = t.testdir({ a: '1', b: '2' })
  const first = await put(['--json', join(folder, 'a'), 'f'])
  const { etag } = JSON.parse(first.out)
  t.match(await put([join(folder, 'b'), 'f']), {
    code: 1,
    out: '',
    err: /^not stored: .*b as f: .*\(FILE_EXISTS\)\n$/,
  })
  t.match(await put(['--overwrite', join(folder, 'b'), 'f']), { code: 0 })
  t.match(await put(['--if-match', etag, join(folder, 'a'), 'f']), { code: 1, err: /PRECONDITION_FAILED/ })
  t.same(await contents(), { f: '2' })
})

t.test('standard input', async t => {
  const { put, contents } = await store(t)
  t.match(await put(['-', 'a/in'], { stdin: 'from a pipe' }), { code: 0, err: '' })
  t.same(await contents(), { 'a/in': 'from a pipe' })
})

t.test('several files go below the path; what fails is named and the rest is done', async t => {
  const { put, contents } = await store(t)
  const folder = t.testdir({ a: '1', b: '2', c: {}, 'bad\nname': '3' })
  const args = ['a', 'none', 'b', 'c', 'bad\nname'].map(name => join(folder, name))
  const result = await put([...args, 'd'])
  t.equal(result.code, 1)
  t.match(result.err, /not stored: .*none: there is no file or folder/)
  t.match(result.err, /not stored: .*\/c: it is a folder; add -r/)
  t.match(result.err, /control character\. \(INVALID_PATH\)/)
  t.match(result.out, /^2 files stored, 2 B\n$/)
  t.same(await contents(), { 'd/a': '1', 'd/b': '2' })
})

t.test('one source that is not here ends with its reason and nothing else', async t => {
  const { put } = await store(t)
  const folder = t.testdir({ here: '1' })
  const [here, none] = [join(folder, 'here'), join(folder, 'none')]
  t.match(await put([none, 'a']), { code: 1, out: '', err: /there is no file or folder/ })
  t.match(await put(['docs/a', here]), { code: 1, out: '', err: /the file comes first, and then the PATH/ })
})

t.test('a folder: everything in it, and what is left out is named', async t => {
  const { put, contents } = await store(t)
  const folder = t.testdir({
    x: { deep: { er: 'er' }, empty: {} },
    y: 'y',
    link: t.fixture('symlink', 'y'),
  })
  t.match(await put(['-r', folder, 'to']), {
    code: 0,
    out: '3 files stored, 3 B\n',
    err: 'skipped (empty folder): x/empty\n',
  })
  t.same(await contents(), { 'to/link': '', 'to/x/deep/er': 'er', 'to/y': 'y' })
  t.match(await put(['-r', join(folder, 'x'), join(folder, 'y'), '/']), { code: 0 })
  t.match(Object.keys(await contents()), ['to/link', 'to/x/deep/er', 'to/y', 'x/deep/er', 'y'])
})

t.test('many files, more than fit at once', async t => {
  const { put, contents } = await store(t)
  const folder = t.testdir({})
  for (let i = 0; i < 200; i += 1) writeFileSync(join(folder, `${i}`), `${i}`)
  t.match(await put(['-r', '--parallel', '5', folder, '/']), { code: 0, out: /^200 files stored/ })
  const files = await contents()
  t.equal(Object.keys(files).length, 200)
  t.ok(Object.entries(files).every(([path, content]) => path === content))
})

t.test('a bar on a terminal, nothing in a pipe', async t => {
  const { put } = await store(t)
  const file = join(t.testdir({ a: 'aaaa' }), 'a')
  const onTerminal = await put([file, '1'], { isTTY: true })
  t.match(onTerminal.err, /4 B of 4 B \| 1 of 1 files/)
  t.equal((await put([file, '2'])).err, '')
  const receipts = await put(['--json', file, '3'], { isTTY: true })
  t.match(receipts, { err: '', out: /^\{"path":"3"/ }, 'none runs through receipts')
})

t.test(
  'a file that may not be read is named',
  { skip: process.getuid?.() === 0 && 'root reads all' },
  async t => {
    const { put } = await store(t)
    const file = join(t.testdir({ a: 'a' }), 'a')
    chmodSync(file, 0)
    t.match(await put([file, 'a']), { code: 1, err: /EACCES/ })
  },
)

t.test('a media type that is none is refused before anything is sent', async t => {
  const { put, contents } = await store(t)
  const file = join(t.testdir({ a: 'x' }), 'a')
  for (const type of ['nonsense', 'text/', 'text/plain; x', 'a b/c', ''])
    t.match(await put(['--type', type, file, 'a']), { code: 2, err: /--type takes a media type/ }, type)
  for (const type of ['text/plain', 'text/plain; charset=utf-8', 'a/b;c="d;\\"e"'])
    t.match(await put(['--overwrite', '--type', type, file, 'a']), { code: 0 }, type)
  t.same(await contents(), { a: 'x' })
})
