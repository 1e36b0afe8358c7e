import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function store(t: { teardown(end: () => unknown): unknown }) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  await client.put('a/1.jpg', 'x'.repeat(2048), { mediaType: 'image/jpeg', meta: { color: 'red' } })
  await client.put('a/b/2.txt', 'two')
  await client.put('a/l', '', { mediaType: 'inode/symlink', meta: { link: '1.jpg' } })
  await client.put('top', 'top')
  return async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(args, session)
    return { code, out: session.out(), err: session.err() }
  }
}

t.test('du sums up folders', async t => {
  const run = await store(t)
  const words = (out: string) => out.split('\n').map(line => line.trim().split(/ {2,}/))
  t.same(words((await run('du')).out), [['2051', '3', 'a/'], ['3', '1', 'top'], ['2054', '4', '/'], ['']])
  t.same(words((await run('du', '-h', 'a', '/a/b/')).out), [['2 KiB', '3', 'a/'], ['3 B', '1', 'a/b/'], ['']])
  t.same((await run('du', '--json', '/')).out, '{"path":"/","files":4,"bytes":2054}\n')
  t.match(await run('du', 'none'), { code: 1, err: 'none: nothing lies below this path\n' })
})

t.test('stat says what is known of a file', async t => {
  const run = await store(t)
  const { out } = await run('stat', 'a/1.jpg')
  t.match(
    out,
    /^path {6}a\/1.jpg\nsize {6}2048 bytes\nversion {3}".*"\nwritten {3}\d{4}-.*\ntype {6}image\/jpeg\nsha256 {4}[0-9a-f]{64}\nmeta {6}color: red\nreplicas {2}\S+\n$/,
  )
  t.match((await run('stat', '-h', 'a/*.jpg')).out, /size {6}2 KiB/)
  t.match(JSON.parse((await run('stat', '--json', '/top')).out), { path: 'top', size: 3, replicas: [/^127/] })
  t.match(await run('stat', 'a', 'none'), {
    code: 1,
    err: 'a: it is a folder; du sums it up, and list -l shows it\nnone: no file has this path (FILE_NOT_FOUND)\n',
  })
})

t.test('find finds by name, size, age and kind', async t => {
  const run = await store(t)
  const found = async (...args: string[]) =>
    (await run('find', ...args)).out.split('\n').filter(line => line !== '')
  t.same(await found(), ['a/1.jpg', 'a/b/2.txt', 'a/l', 'top'])
  t.same(await found('a', '--name', '*.???'), ['a/1.jpg', 'a/b/2.txt'])
  t.same(await found('--larger', '1KiB'), ['a/1.jpg'])
  t.same(await found('--smaller', '1KiB', '--type', 'file'), ['a/b/2.txt', 'top'])
  t.same(await found('--type', 'link'), ['a/l'])
  t.same(await found('--older', '1h'), [])
  t.equal((await found('--newer', '1h')).length, 4)
  t.equal((await run('find', '/a/b', '--print0')).out, 'a/b/2.txt\0')
  t.match(JSON.parse((await run('find', '/a/b', '--json')).out), { path: 'a/b/2.txt', size: 3 })
  t.match(await run('find', '--larger', 'lots'), { code: 2, err: /such as 10MiB/ })
  t.match(await run('find', '--type', 'socket'), { code: 2, err: /file, link or folder/ })
})
