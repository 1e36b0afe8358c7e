import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { json, scriptedServer } from '../client/scripted-server.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

type Test = { teardown(end: () => unknown): unknown }

async function store(t: Test, files: Record<string, string>) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  for (const [path, content] of Object.entries(files)) await client.put(path, content)
  return (args: string[]) => getFrom(url, args)
}

async function getFrom(url: string, args: string[]) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  const code = await runCli(['get', ...args], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('one file: to a name, into a folder, to standard output', async t => {
  const get = await store(t, { 'a/b.txt': 'bytes' })
  const folder = t.testdir({ there: {}, old: 'old' })
  t.same(await get(['a/b.txt', join(folder, 'new')]), { code: 0, out: '', err: '' })
  t.match(await get(['a/b.txt', join(folder, 'there')]), { code: 0 })
  t.match(await get(['a/b.txt', `${join(folder, 'made')}/`]), { code: 0 })
  t.match(await get(['a/b.txt', join(folder, 'old')]), { code: 0 })
  for (const name of ['new', 'there/b.txt', 'made/b.txt', 'old']) {
    t.equal(readFileSync(join(folder, name), 'utf8'), 'bytes', name)
  }
  t.same(await get(['a/b.txt', '-']), { code: 0, out: 'bytes', err: '' })
})

t.test('several files; what fails is named and the rest is done', async t => {
  const get = await store(t, { a: '1', 'x/b': '2' })
  const folder = t.testdir({ file: '' })
  t.match(await get(['a', 'none', 'x/b', folder]), {
    code: 1,
    err: /^not fetched: none: .*\(FILE_NOT_FOUND\)\n$/,
  })
  t.same(readdirSync(folder), ['a', 'b', 'file'])
  t.match(await get(['a', 'x/b', '-']), { code: 0, out: '12' })
  t.match(await get(['a', 'x/b', join(folder, 'file')]), { code: 2, err: /is no folder/ })
})

t.test('a tree, and what could not be written', async t => {
  const get = await store(t, { 't/a': 'a', 't/a/b': 'ab', 't/c/d': 'cd', u: 'u' })
  const folder = join(t.testdir({}), 'new')
  const result = await get(['-r', 't', folder])
  t.match(result, { code: 1, out: '2 files fetched, 3 B\n' })
  t.match(result.err, /^not written: t\/a\/b: t\/a is a file, so nothing can be below it\n1 of 3 files/)
  t.equal(readFileSync(join(folder, 'a'), 'utf8'), 'a')
  t.equal(readFileSync(join(folder, 'c/d'), 'utf8'), 'cd')
  t.match(await get(['-r', 'none', folder]), { code: 1, err: /nothing lies below this path/ })
  t.match(await get(['-r', '/', join(folder, 'all')]), { code: 1 })
  t.ok(existsSync(join(folder, 'all/u')))
})

t.test('a node that lists paths which lead out of the folder is not obeyed', async t => {
  const { origin } = await scriptedServer(t, [
    (_seen, response) =>
      response.writeHead(200).end('{"path":"t/../../evil","size":1}\n{"path":"/etc/x","size":1}\n'),
    json(200, 'evil'),
  ])
  const base = t.testdir({})
  const result = await getFrom(origin, ['-r', 't', join(base, 'folder')])
  t.equal(result.code, 1)
  t.match(result.err, /not written: t\/..\/..\/evil: .*\(INVALID_PATH\)/)
  t.same(
    readdirSync(base).filter(name => name !== 'folder'),
    [],
  )
})

t.test('a file that arrives damaged does not appear, and the old one stays', async t => {
  const sha256 = Buffer.alloc(32).toString('base64')
  const { origin } = await scriptedServer(t, [json(200, 'evil', { 'repr-digest': `sha-256=:${sha256}:` })])
  const folder = t.testdir({ file: 'old' })
  t.match(await getFrom(origin, ['a', join(folder, 'file')]), { code: 1, err: /\(CORRUPT\)/ })
  t.same(readdirSync(folder), ['file'])
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'old')
})

t.test('a link is followed, a FIFO is written into, and the mode of a file stays', async t => {
  const get = await store(t, { a: 'new bytes' })
  const folder = t.testdir({ real: 'old' })
  const at = (name: string) => join(folder, name)
  chmodSync(at('real'), 0o600)
  symlinkSync('real', at('link'))
  symlinkSync('nothing', at('dangling'))
  t.match(await get(['a', at('link')]), { code: 0 })
  t.ok(lstatSync(at('link')).isSymbolicLink())
  t.equal(readFileSync(at('real'), 'utf8'), 'new bytes')
  t.equal(lstatSync(at('real')).mode & 0o777, 0o600)
  t.match(await get(['a', at('dangling')]), { code: 1, err: /symbolic link to nothing/ })
  t.match(await get(['a', join(folder, 'no/x')]), { code: 1, err: /there is no folder .*no/ })
  execFileSync('mkfifo', [at('fifo')])
  t.match(await get(['a', at('fifo')]), { code: 1, err: /nobody reads from the FIFO/ })
  const reader = openSync(at('fifo'), constants.O_RDONLY | constants.O_NONBLOCK)
  t.match(await get(['a', at('fifo')]), { code: 0 })
  t.equal(readFileSync(reader, 'utf8'), 'new bytes')
  closeSync(reader)
  t.ok(lstatSync(at('fifo')).isFIFO())
  t.match(await get(['a', '/dev/null']), { code: 0, err: '' })
  t.ok(lstatSync('/dev/null').isCharacterDevice())
})
