import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { type Walked, walkFolder } from '../../src/cli/folder-walk.ts'

async function walk(root: string): Promise<Walked[]> {
  const all: Walked[] = []
  for await (const walked of walkFolder(root)) all.push(walked)
  return all
}

t.test('files in the order of names; links and empty folders are named and left out', async t => {
  const root = t.testdir({
    b: 'bb',
    a: { 'z.txt': 'z', empty: {}, '.hidden': '' },
    link: t.fixture('symlink', 'b'),
    folderlink: t.fixture('symlink', 'a'),
    dangling: t.fixture('symlink', 'nowhere'),
  })
  execFileSync('mkfifo', [join(root, 'pipe')])
  t.match(await walk(root), [
    { kind: 'file', path: 'a/.hidden', size: 0, file: join(root, 'a/.hidden') },
    { kind: 'skipped', path: 'a/empty', reason: 'empty folder' },
    { kind: 'file', path: 'a/z.txt', size: 1 },
    { kind: 'file', path: 'b', size: 2 },
    { kind: 'skipped', path: 'dangling', reason: 'symbolic link' },
    { kind: 'skipped', path: 'folderlink', reason: 'symbolic link' },
    { kind: 'skipped', path: 'link', reason: 'symbolic link' },
    { kind: 'skipped', path: 'pipe', reason: 'not a regular file' },
  ])
})

t.test('an empty root, a missing root', async t => {
  t.match(await walk(t.testdir({})), [{ kind: 'skipped', path: '.', reason: 'empty folder' }])
  t.match(await walk(join(t.testdirName, 'none')), [{ kind: 'failed', path: '.', error: { code: 'ENOENT' } }])
})
