import { appendFileSync, chmodSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { startProgress } from '../../src/cli/progress.ts'
import { PutRun } from '../../src/cli/put-run.ts'
import { EVERYTHING } from '../../src/cli/selection.ts'
import { planUploads } from '../../src/cli/uploads.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function store(t: { teardown(end: () => unknown): unknown }) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const put = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(['put', ...args], session)
    return { code, out: session.out(), err: session.err() }
  }
  const listed = async () => {
    const files: Record<string, string> = {}
    for await (const { path, etag } of client.list()) files[path] = etag
    return files
  }
  return { put, client, listed }
}

t.test('the same folder again: nothing is sent, and only what has changed afterwards', async t => {
  const { put, listed, client } = await store(t)
  const folder = t.testdir({ a: 'aa', x: { b: 'b', c: 'c' }, link: t.fixture('symlink', 'a') })
  t.match(await put('-r', folder, 'to'), { code: 0, out: '4 files stored, 4 B\n' })
  const before = await listed()
  t.same(await put('-r', folder, 'to'), { code: 0, out: '0 files stored, 0 B; 4 unchanged\n', err: '' })
  t.same(await listed(), before, 'the store was not touched')
  writeFileSync(join(folder, 'x/b'), 'B')
  writeFileSync(join(folder, 'new'), 'n')
  t.match(await put('-r', folder, 'to'), {
    code: 1,
    out: '1 file stored, 1 B; 3 unchanged; 1 differs and stays as it is (--overwrite replaces it)\n',
    err: /not stored: .*x\/b as to\/x\/b: .*--overwrite replaces it/,
  })
  t.match(await put('-r', '--overwrite', folder, 'to'), {
    code: 0,
    out: '1 file stored, 1 B; 4 unchanged\n',
  })
  const after = await listed()
  t.same(
    Object.keys(after).filter(path => after[path] !== before[path]),
    ['to/new', 'to/x/b'],
  )
  t.match((await client.get('to/link')).meta, { link: 'a' })
})

t.test('a mode or a time alone is brought up to date, without --overwrite and without the bytes', async t => {
  const { put, client } = await store(t)
  const folder = t.testdir({ a: 'aa' })
  chmodSync(join(folder, 'a'), 0o640)
  await put('-r', folder, 'to')
  chmodSync(join(folder, 'a'), 0o755)
  utimesSync(join(folder, 'a'), 1000, 1000.5)
  t.match(await put('-r', '--no-meta', folder, 'to'), { code: 0, out: /1 unchanged/ })
  t.match(await put('-r', '-n', folder, 'to'), {
    code: 0,
    out: /^would be given its mode and time: to\/\S+\n/,
  })
  t.match(await put('-r', folder, 'to'), {
    code: 0,
    out: /^0 files stored, 0 B; .*1 given their mode and time/,
  })
  const { meta, body } = await client.get('to/a')
  body.destroy()
  t.same(meta, { mode: '0755', mtime: '1000.500000000' })
})

t.test('--quick does not read what has the same size and time', async t => {
  const { put, listed } = await store(t)
  const folder = t.testdir({ a: 'aa' })
  const file = join(folder, 'a')
  utimesSync(file, 1000, 1000)
  await put('-r', folder, 'to')
  const before = await listed()
  writeFileSync(file, 'bb')
  utimesSync(file, 1000, 1000)
  t.match(await put('-r', '--quick', '--overwrite', folder, 'to'), { code: 0, out: /1 unchanged/ })
  t.same(await listed(), before)
  t.match(await put('-r', '--overwrite', folder, 'to'), { code: 0, out: /^1 file stored/ })
})

t.test('--delete mirrors, spares what is left out, and does nothing when it cannot see all', async t => {
  const { put, listed, client } = await store(t)
  const folder = t.testdir({ a: 'a', 'b.log': 'b', x: { c: 'c' } })
  await put('-r', folder, 'to')
  await client.put('too', 'beside it')
  rmSync(join(folder, 'a'))
  rmSync(join(folder, 'b.log'))
  const mirror = ['-r', '--delete', '--exclude', '*.log', folder, 'to']
  const dry = await put('-n', ...mirror)
  t.match(dry, { code: 0, out: /^would be removed: to\/a\n0 files would be stored.*1 would be removed\n$/s })
  t.equal(Object.keys(await listed()).length, 4, 'a dry run does nothing')
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), '')
  t.match(await put(...mirror), { code: 1, err: /nothing is removed: not everything/ })
  rmSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]))
  t.match(await put(...mirror), { code: 0, out: /1 removed/ })
  t.same(Object.keys(await listed()), ['to/b.log', 'to/x/c', 'too'])
  t.match(await put('-r', '--delete', folder, '/'), { code: 2, err: /remove everything else/ })
  t.match(await put('--delete', join(folder, 'x/c'), 'y'), { code: 2, err: /with -r/ })
})

t.test('what somebody has written since the list was read is not replaced', async t => {
  const { put, client } = await store(t)
  const folder = t.testdir({ a: 'aa' })
  await client.put('to/a', 'bb')
  const list = client.list.bind(client)
  t.ok(list)
  t.match(await put('-r', '-n', '--overwrite', folder, 'to'), { code: 0, out: /would be replaced: to\/a/ })
  const { body } = await client.get('to/a')
  let text = ''
  for await (const chunk of body) text += chunk
  t.equal(text, 'bb')
})

t.test('a file that changes between the look at it and its last byte is named', async t => {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const folder = t.testdir({ log: 'line', same: 'old!', short: '12345678', gone: 'x', still: 'still' })
  const session = scriptedSession()
  const options = { recursive: true, parallel: 1 }
  const plans = await planUploads(session, [folder], 'to', EVERYTHING, options)
  appendFileSync(join(folder, 'log'), ' more')
  writeFileSync(join(folder, 'same'), 'new!')
  utimesSync(join(folder, 'same'), 1, 1)
  truncateSync(join(folder, 'short'), 3)
  rmSync(join(folder, 'gone'))
  const progress = startProgress(session, { bar: 'hidden' })
  await new PutRun({ session, client, progress, selection: EVERYTHING }, options).run(plans)
  t.equal(session.exitCode, 1)
  t.match(session.err(), /log has grown meanwhile; stored are its first 4 bytes\n/)
  t.match(session.err(), /stored, and changed while it was read: .*same: store it again\n/)
  t.match(session.err(), /not stored: .*short as to\/short: /)
  t.match(session.err(), /not stored: .*gone as to\/gone: /)
  t.equal((await (await client.get('to/log')).body.toArray()).join(''), 'line')
  t.equal((await (await client.get('to/still')).body.toArray()).join(''), 'still')
  t.notOk(await client.exists('to/short'), 'half a file is none')
})

t.test('small files go many at a time and without streams, large ones few at a time', async t => {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const names = Array.from({ length: 40 }, (_, i) => `${i}`)
  const small = Object.fromEntries(names.map(name => [`s${name}`, name]))
  const folder = t.testdir({
    ...small,
    ...Object.fromEntries(names.map(name => [`l${name}`, Buffer.alloc(65_537)])),
  })
  const [running, most] = [
    { small: 0, large: 0 },
    { small: 0, large: 0 },
  ]
  const warnings: unknown[] = []
  const onWarning = (warning: unknown) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const counting: Pick<StoreClient, 'put' | 'list'> = {
    list: (...args) => client.list(...args),
    async put(path, body, options) {
      const kind = path.startsWith('to/s') ? 'small' : 'large'
      t.equal(body instanceof Uint8Array, kind === 'small', path)
      running[kind] += 1
      most[kind] = Math.max(most[kind], running[kind])
      try {
        return await client.put(path, body, options)
      } finally {
        running[kind] -= 1
      }
    },
  }
  const session = scriptedSession()
  const plans = await planUploads(session, [folder], 'to', EVERYTHING, { recursive: true })
  const progress = startProgress(session, { bar: 'hidden' })
  const parts = { session, client: counting as StoreClient, progress, selection: EVERYTHING }
  await new PutRun(parts, { recursive: true }).run(plans)
  t.match(session.out(), /^80 files stored/)
  t.equal(most.large, 8)
  t.ok(most.small > 11, `${most.small} small ones`)
  t.same(warnings, [], 'nothing piles up on the signal of the run')
})
