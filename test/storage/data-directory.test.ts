import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  DataDirectory,
  eraseStorage,
  FORMAT,
  leavePlace,
  placeAt,
  syncDirectory,
} from '../../src/storage/data-directory.ts'

const formatFile = 'altered-chord.json'

t.test('a missing directory is made and named as ours', async t => {
  const path = join(t.testdir(), 'deep', 'data')
  const directory = await DataDirectory.open(path)
  t.same(JSON.parse(await readFile(join(path, formatFile), 'utf8')), {
    program: 'altered-chord',
    format: FORMAT,
  })
  await directory.close()
  await (await DataDirectory.open(path)).close()
  await syncDirectory(path)
})

t.test('a fresh volume and a start that broke off are as good as empty', async t => {
  const path = t.testdir({ 'lost+found': {}, lock: '12345\n', [`${formatFile}.new`]: '{' })
  const directory = await DataDirectory.open(path)
  await directory.close()
  t.ok((await readdir(path)).includes(formatFile))
})

t.test('a directory that is not ours, or not ours yet, is refused by name', async t => {
  const refusals: [string, Record<string, string>, RegExp][] = [
    ['foreign', { 'photo.jpg': '' }, /it holds something else, "photo.jpg"/],
    [
      'newer',
      { [formatFile]: `{"format":${FORMAT + 1}}` },
      new RegExp(`newer version \\(format ${FORMAT + 1}`),
    ],
    ['no format', { [formatFile]: '{}' }, /names no format/],
    ['no JSON', { [formatFile]: 'hello' }, /names no format/],
    ['text for a format', { [formatFile]: '{"format":"1"}' }, /names no format/],
  ]
  for (const [name, content, message] of refusals) {
    const path = join(t.testdir({ [name]: content }), name)
    const before = await readdir(path)
    await t.rejects(DataDirectory.open(path), { code: 'UNAVAILABLE', message }, name)
    await t.rejects(DataDirectory.open(path), { message: new RegExp(name) })
    t.same(await readdir(path), before, 'and left as it was')
  }
})

t.test('a directory of an older format is taken, and is of this one from then on', async t => {
  const path = t.testdir({ [formatFile]: '{"program":"altered-chord","format":1}', 'index.mdb': '' })
  await (await DataDirectory.open(path)).close()
  t.match(JSON.parse(await readFile(join(path, formatFile), 'utf8')), { format: FORMAT })
})

t.test('a file in the place of the directory is refused', async t => {
  const path = join(t.testdir({ data: 'a file' }), 'data')
  await t.rejects(DataDirectory.open(path), { code: 'UNAVAILABLE', message: /data can't be used: / })
})

t.test('a directory in use is refused with the process that uses it', async t => {
  const path = t.testdir()
  const directory = await DataDirectory.open(path)
  await t.rejects(DataDirectory.open(path), {
    code: 'UNAVAILABLE',
    message: `The data directory ${path} can't be used: process ${process.pid} is using it.`,
  })
  await directory.close()
  await (await DataDirectory.open(path)).close()
})

t.test('the lock of a process ends with the process, even when it is killed', async t => {
  const path = t.testdir()
  const script = `
    import { DataDirectory } from ${JSON.stringify(new URL('../../src/storage/data-directory.ts', import.meta.url).href)}
    await DataDirectory.open(process.argv[1])
    process.stdout.write('locked')
    setInterval(() => {}, 1000)
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script, path]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  await once(child.stdout, 'data')
  await t.rejects(DataDirectory.open(path), { message: new RegExp(`process ${child.pid} is using it`) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await DataDirectory.open(path)).close()
})

t.test('a lock file without a process in it is still a lock', async t => {
  const path = join(t.testdir(), 'data')
  await mkdir(path)
  const directory = await DataDirectory.open(path)
  await writeFile(join(path, 'lock'), '')
  await t.rejects(DataDirectory.open(path), { message: /another process is using it/ })
  await directory.close()
})

t.test('an erasure that broke off is gone on with at the next start', async t => {
  const path = t.testdir({
    [formatFile]: '{"format":1}',
    blobs: { ab: { abcd: 'x' } },
    reserve: 'x',
    erasing: '',
    lock: '',
  })
  const directory = await DataDirectory.open(path)
  await directory.close()
  t.same((await readdir(path)).sort(), [formatFile, 'lock'])
  await eraseStorage(path)
  t.same(await readdir(path), ['lock'])
  const rest = t.testdir({ erasing: '', lock: '' })
  await (await DataDirectory.open(rest)).close()
  t.same((await readdir(rest)).sort(), [formatFile, 'lock'], 'whatever was left')
})

t.test('what a refused start leaves is taken away, and never from another start', async t => {
  const path = join(t.testdir(), 'data')
  const before = await placeAt(path)
  t.equal(before, 'missing')
  await (await DataDirectory.open(path)).close()
  const other = await DataDirectory.open(path)
  await leavePlace(path, before)
  t.same((await readdir(path)).sort(), [formatFile, 'lock'], 'another start has come: it is its place now')
  await other.close()
  await leavePlace(path, 'empty')
  t.same(await readdir(path), [])
  await (await DataDirectory.open(path)).close()
  await leavePlace(path, before)
  t.equal(await placeAt(path), 'missing')
})

t.test("a directory is its owner's alone, and one that was not is repaired", async t => {
  const before = process.umask(0)
  t.teardown(() => process.umask(before))
  const path = join(t.testdir(), 'data')
  await (await DataDirectory.open(path)).close()
  const modes = async () =>
    Promise.all(
      ['', formatFile, 'blobs', 'blobs/ab', 'blobs/ab/c'].map(async name => {
        return ((await stat(join(path, name))).mode & 0o777).toString(8)
      }),
    )
  t.equal((await stat(path)).mode & 0o777, 0o700)
  await mkdir(join(path, 'blobs/ab'), { recursive: true })
  await writeFile(join(path, 'blobs/ab/c'), 'x')
  await chmod(path, 0o755)
  await (await DataDirectory.open(path)).close()
  t.same(await modes(), ['700', '600', '700', '700', '600'])
})

t.test('what is in the way of a new directory is named', async t => {
  const folder = t.testdir({ file: '' })
  const rows: [string, RegExp][] = [
    [join(folder, 'file'), /it is a file, and not a folder/],
    [join(folder, 'file/data'), /file is a file, and not a folder/],
    ['/proc/nowhere/data', /\/proc/],
  ]
  for (const [path, message] of rows)
    await t.rejects(DataDirectory.open(path), { code: 'UNAVAILABLE', message }, path)
})
