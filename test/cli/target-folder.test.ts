import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { conflictFinder, setTime, TargetFolder, writeWhole } from '../../src/cli/target-folder.ts'
import { realEnv } from '../../src/env.ts'
import { comparePathNames } from '../../src/ring/path-name.ts'

const env = realEnv()
const bytes = async function* (text: string) {
  yield Buffer.from(text)
}

t.test('files land in their folders, and replace what was there', async t => {
  const root = join(t.testdir({}), 'new/target')
  const folder = new TargetFolder({ env }, { root })
  await Promise.all([folder.write('a/b/c.txt', bytes('1')), folder.write('a/b/d.txt', bytes('2'))])
  await folder.write('a/b/c.txt', bytes('3'))
  t.equal(readFileSync(join(root, 'a/b/c.txt'), 'utf8'), '3')
  t.equal(readFileSync(join(root, 'a/b/d.txt'), 'utf8'), '2')
  t.same(readdirSync(join(root, 'a/b')), ['c.txt', 'd.txt'], 'no temporary file is left')
})

t.test('no path leads out of the folder', async t => {
  const base = t.testdir({ outside: {}, target: { link: t.fixture('symlink', '../outside') } })
  const folder = new TargetFolder({ env }, { root: join(base, 'target') })
  for (const path of ['../evil', 'a/../../evil', '..', '', '.', 'a//b', 'a\0b']) {
    await t.rejects(folder.write(path, bytes('x')), { code: 'INVALID_PATH' }, path)
  }
  await t.rejects(folder.write('link/evil', bytes('x')), { message: /symbolic link, which is not followed/ })
  t.same(readdirSync(join(base, 'outside')), [])
  await folder.write('/etc/absolute', bytes('x'))
  t.ok(existsSync(join(base, 'target/etc/absolute')), 'a leading slash is inside')
})

t.test('a link in the place of a file is replaced, not written through', async t => {
  const base = t.testdir({ secret: 'old', target: { file: t.fixture('symlink', '../secret') } })
  await new TargetFolder({ env }, { root: join(base, 'target') }).write('file', bytes('new'))
  t.equal(readFileSync(join(base, 'secret'), 'utf8'), 'old')
  t.equal(readFileSync(join(base, 'target/file'), 'utf8'), 'new')
})

t.test('a file where a folder is needed, a folder where a file is wanted', async t => {
  const root = t.testdir({ a: 'file', b: {} })
  const folder = new TargetFolder({ env }, { root })
  await t.rejects(folder.write('a/b', bytes('x')), { message: /is a file, so nothing can be below it/ })
  await t.rejects(folder.write('b', bytes('x')), { message: /is a folder/ })
})

t.test('a body that fails leaves nothing, and the old file stays', async t => {
  const root = t.testdir({ file: 'old' })
  const failing = async function* () {
    yield Buffer.from('half')
    throw new Error('broken')
  }
  await t.rejects(writeWhole(env, join(root, 'file'), failing()), { message: 'broken' })
  t.same(readdirSync(root), ['file'])
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'old')
  const reason = new Error('interrupted')
  await t.rejects(writeWhole(env, join(root, 'file'), bytes('x'), AbortSignal.abort(reason)))
  t.same(readdirSync(root), ['file'])
})

t.test('of a and a/b, the first of a sorted list wins', async t => {
  const inTheWay = conflictFinder()
  const rows: [string, string | undefined][] = [
    ['a', undefined],
    ['a-b', undefined],
    ['a.txt', undefined],
    ['a.txt/c', 'a.txt'],
    ['a/b', 'a'],
    ['a/b/c', 'a'],
    ['ab', undefined],
    ['b/c', undefined],
    ['b/c/d', 'b/c'],
  ]
  for (const [path, file] of rows) t.equal(inTheWay(path), file, path)
})

t.test(
  'what the finder lets through can lie in one folder, and it holds back no more than needed',
  async t => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'a-', 'é'), { minLength: 1, maxLength: 4 })
      .map(parts => parts.join('/'))
    const law = fc.property(fc.uniqueArray(path, { maxLength: 30 }), paths => {
      const inTheWay = conflictFinder()
      const kept: string[] = []
      for (const one of paths.toSorted(comparePathNames)) {
        const file = inTheWay(one)
        const expected = kept.find(other => one.startsWith(`${other}/`))
        if (file !== expected) return false
        if (file === undefined) kept.push(one)
      }
      return true
    })
    t.doesNotThrow(() => fc.assert(law))
  },
)

t.test('the root may exist already', async t => {
  const root = join(t.testdir({}), 'target')
  mkdirSync(root)
  await new TargetFolder({ env }, { root }).write('a', bytes('1'))
  t.equal(readFileSync(join(root, 'a'), 'utf8'), '1')
})

t.test('times before 1970 are set as they are', async t => {
  const place = join(t.testdir({ a: '' }), 'a')
  for (const mtimeNs of [-157_766_400_000_000_000n, -5_000_000n, 0n, 1_000_000_000n]) {
    await setTime(place, mtimeNs)
    t.equal((await lstat(place, { bigint: true })).mtimeNs, mtimeNs)
  }
})
