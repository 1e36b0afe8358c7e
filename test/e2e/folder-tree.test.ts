import { execFile } from 'node:child_process'
import { lstat, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { repositoryRoot, runProgram } from './harness.ts'
import { openNode } from './test-node.ts'

const run = promisify(execFile)

/** A real folder that every checkout has, and that nothing writes to: more than a thousand files. */
const REAL_TREE = process.env.REAL_TREE ?? join(repositoryRoot, 'node_modules', '@smithy')

t.test('a real folder comes back as it was, but for what put -r said it skipped', async t => {
  const { node, client } = await openNode(t)
  const work = t.testdir({ back: {} })
  const put = await runProgram(['put', '-r', REAL_TREE, 'tree', '--node', node.url])
  t.equal(put.code, 0, put.stderr)

  const local = await regularFiles(REAL_TREE)
  t.ok(local.length > 1000, `${local.length} files`)
  t.same((await client.list('tree/')).map(file => file.path).sort(), local.map(file => `tree/${file}`).sort())

  const got = await runProgram(['get', '-r', 'tree', join(work, 'back', 'tree'), '--node', node.url])
  t.equal(got.code, 0, got.stderr)
  const { stdout } = await run('diff', ['-r', REAL_TREE, join(work, 'back', 'tree')])
  t.equal(stdout, '', 'diff -r shows nothing')
})

t.test('symbolic links come back; empty folders are named and skipped', async t => {
  const { node, client } = await openNode(t)
  const work = t.testdir({ from: { 'a.txt': 'a', sub: { 'ü b.txt': 'b' } } })
  const from = join(work, 'from')
  await symlink('a.txt', join(from, 'link'))
  await mkdir(join(from, 'empty'))
  await writeFile(join(from, 'sub', 'no bytes'), '')
  const put = await runProgram(['put', '-r', from, 'tree', '--node', node.url])
  t.equal(put.code, 0, put.stderr)
  t.match(put.stderr, 'skipped (empty folder): empty')
  t.same((await client.list()).map(file => file.path).sort(), [
    'tree/a.txt',
    'tree/link',
    'tree/sub/no bytes',
    'tree/sub/ü b.txt',
  ])
  const got = await runProgram(['get', '-r', 'tree', join(work, 'back'), '--node', node.url])
  t.equal(got.code, 0, got.stderr)
  const difference = await run('diff', ['-r', '--no-dereference', from, join(work, 'back')]).catch(
    error => error as { stdout: string },
  )
  t.same(difference.stdout.trim().split('\n').sort(), [`Only in ${from}: empty`])
})

async function regularFiles(root: string): Promise<string[]> {
  const names = await readdir(root, { recursive: true })
  const regular: string[] = []
  for (const name of names) if ((await lstat(join(root, name))).isFile()) regular.push(name)
  return regular
}
