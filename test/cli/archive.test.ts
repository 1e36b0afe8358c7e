import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('a folder goes in and out as an archive', async t => {
  const { url } = await runningNode(t)
  const run = async (args: string[], stdin?: Uint8Array) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url }, ...(stdin && { stdin }) })
    const code = await runCli(args, session)
    return { code, out: session.out(), err: session.err() }
  }
  const folder = t.testdir({ tree: { a: 'one', sub: { b: 'two' } } })
  execFileSync('mkfifo', [join(folder, 'tree/pipe')])
  const tar = execFileSync('tar', ['c', '-C', join(folder, 'tree'), '.'])
  t.match(await run(['put', '--tar', '-', 'x/y'], tar), {
    code: 0,
    out: '2 files stored, 6 B\n',
    err: 'skipped (a FIFO): ./pipe\n',
  })
  const file = join(folder, 'tree.tar')
  writeFileSync(file, tar)
  t.match(await run(['put', '--tar', file, 'x/y']), { code: 0, out: '0 files stored, 0 B; 2 unchanged\n' })
  t.match(JSON.parse((await run(['put', '--tar', '--json', file, 'x/y'])).out), { unchanged: 2 })
  t.match(await run(['put', '--tar', '--folders', '--overwrite', file, 'x/y']), { out: /1 file stored/ })
  t.match(await run(['put', '--tar', join(folder, 'none'), 'x']), { code: 1, err: /there is no file/ })
  t.match(await run(['put', '--tar', '-', 'x'], tar.subarray(0, 1000)), {
    code: 1,
    err: /ends before it is complete/,
  })

  for (const format of ['tar', 'zip']) {
    const target = join(folder, `out.${format}`)
    t.match(await run(['get', `--${format}`, 'x/y', target]), { code: 0, out: '' })
    t.equal(readFileSync(target).subarray(0, 2).toString(), format === 'zip' ? 'PK' : 'Pa', 'PaxHeader')
  }
  t.equal(execFileSync('tar', ['tf', join(folder, 'out.tar')]).toString(), 'a\nsub\nsub/b\n')
  t.match(await run(['get', '--tar', 'none', '-']), { code: 1, err: /No file lies in this folder/ })
})

t.test('what does not go together is a mistake', async t => {
  const wrong = async (...args: string[]) => {
    const session = scriptedSession()
    const code = await runCli(args, session)
    t.equal(code, 2, args.join(' '))
    return session.err()
  }
  t.match(await wrong('get', '--tar', '--zip', 'a', 'b'), /either/)
  t.match(await wrong('get', '--tar', '-r', 'a', 'b'), /goes without -r/)
  t.match(await wrong('get', '--tar', 'a'), /get --tar a FILE/)
  t.match(await wrong('put', '--tar', 'a', 'b', 'c'), /one archive/)
  t.match(await wrong('put', '--tar', '-r', 'a', 'b'), /goes without -r/)
})

t.test('the library gives a stream', async t => {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  await client.put('d/ü/a', 'one')
  const archive = await client.archives.get('d/ü')
  const report = await client.archives.put('', archive, { folders: true })
  t.match(report, { prefix: '', stored: 1 })
  t.ok(await client.exists('a'))
})
