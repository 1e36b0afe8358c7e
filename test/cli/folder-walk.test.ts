import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Walked, walkFolder } from '../../src/cli/folder-walk.ts'
import { type Selection, selectionOf } from '../../src/cli/selection.ts'

async function walk(root: string, selection?: Selection): Promise<Walked[]> {
  const all: Walked[] = []
  for await (const walked of walkFolder(root, selection)) all.push(walked)
  return all
}

t.test('files, links and folders in the order of the bytes of names, and what cannot be stored', async t => {
  const root = t.testdir({
    b: 'bb',
    a: { 'z.txt': 'z', empty: {}, '.hidden': '' },
    link: t.fixture('symlink', 'b'),
    dangling: t.fixture('symlink', 'nowhere%\u00e9'),
  })
  execFileSync('mkfifo', [join(root, 'pipe')])
  chmodSync(join(root, 'b'), 0o640)
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff])]), '')
  t.match(await walk(root), [
    { kind: 'folder', path: 'a', isEmpty: false },
    { kind: 'file', path: 'a/.hidden', size: 0, file: join(root, 'a/.hidden') },
    { kind: 'folder', path: 'a/empty', isEmpty: true },
    { kind: 'file', path: 'a/z.txt', size: 1 },
    { kind: 'file', path: 'b', size: 2, attributes: { mode: 0o640 } },
    { kind: 'failed', path: 'b\u00ff', error: { message: /not UTF-8/ } },
    { kind: 'link', path: 'dangling', target: 'nowhere%25%C3%A9' },
    { kind: 'link', path: 'link', target: 'b' },
    { kind: 'skipped', path: 'pipe', reason: 'not a regular file' },
  ])
})

t.test('what a selection leaves out is not looked into', async t => {
  const root = t.testdir({ node_modules: { a: '' }, src: { 'a.js': '', 'a.map': '', 'keep.map': '' } })
  const selection = await selectionOf({ exclude: ['node_modules', '*.map', '!keep.map'] })
  t.same(
    (await walk(root, selection)).map(({ path }) => path),
    ['src', 'src/a.js', 'src/keep.map'],
  )
})

t.test('an empty root, a missing root', async t => {
  t.match(await walk(t.testdir({})), [{ kind: 'skipped', path: '.', reason: 'empty folder' }])
  t.match(await walk(join(t.testdirName, 'none')), [{ kind: 'failed', path: '.', error: { code: 'ENOENT' } }])
})
