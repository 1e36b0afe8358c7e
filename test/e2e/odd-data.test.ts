/**
 * Nodes whose `--data` can't be used: each ends at once with a sentence that names the directory and what is in the way.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { runNode } from './harness.ts'

t.setTimeout(240_000)
const run = promisify(execFile)
const isRoot = process.getuid?.() === 0

/** What the system calls nobody. */
const NOBODY = 65_534

interface Case {
  readonly name: string
  readonly data: string
  readonly why: RegExp
  readonly skip?: string | false
  readonly user?: number
  make?(folder: string): Promise<unknown>
}

const CASES: readonly Case[] = [
  {
    name: 'a file',
    data: 'file',
    why: /it is a file, and not a folder/,
    make: f => writeFile(`${f}/file`, ''),
  },
  { name: 'below a file', data: 'file/x/y', why: /\/file is a file, and not a folder/ },
  {
    name: 'a dangling link',
    data: 'link',
    why: /\/link is a link that leads nowhere/,
    make: folder => symlink(`${folder}/nowhere`, `${folder}/link`),
  },
  { name: 'below a dangling link', data: 'link/x', why: /\/link is a link that leads nowhere/ },
  {
    name: 'a link to itself',
    data: 'loop',
    why: /\/loop is a link that leads nowhere/,
    make: folder => symlink(`${folder}/loop`, `${folder}/loop`),
  },
  {
    name: 'a folder of something else',
    data: 'other',
    why: /it holds something else, "x"/,
    make: folder => mkdir(`${folder}/other/x`, { recursive: true }),
  },
  {
    name: 'below a read-only file system',
    data: 'mounted/x/y',
    why: /EROFS: read-only file system/,
    skip: !isRoot && 'mounts need root',
    async make(folder) {
      await mkdir(`${folder}/mounted`)
      await run('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', `${folder}/mounted`])
    },
  },
  {
    name: 'a read-only file system',
    data: 'mounted',
    why: /EROFS: read-only file system/,
    skip: !isRoot && 'mounts need root',
  },
  {
    name: 'below a folder that this user may not write',
    data: 'closed/x',
    why: /EACCES: permission denied/,
    skip: !isRoot && 'only root may run a node as another user',
    user: NOBODY,
    async make(folder) {
      await chmod(folder, 0o755)
      await mkdir(`${folder}/closed`, { mode: 0o755 })
    },
  },
  {
    name: 'below /proc',
    data: '/proc/x',
    why: /\/proc takes no folders/,
    skip: process.platform !== 'linux' && 'Linux',
  },
  { name: 'a name that is too long', data: 'n'.repeat(300), why: /ENAMETOOLONG/ },
]

t.test('data directories that cannot be used', async t => {
  const folder = t.testdir()
  try {
    for (const { name, data, why, skip = false, user, make } of CASES) {
      await t.test(name, { skip }, async t => {
        await make?.(folder)
        const dataDirectory = data.startsWith('/') ? data : `${folder}/${data}`
        const options = { dataDirectory, ...(user !== undefined && { user }) }
        const { code, stderr } = await runNode(options, 60_000)
        t.equal(code, 1)
        t.equal(stderr.trimEnd().split('\n').length, 1, 'one line')
        t.ok(stderr.startsWith(`The data directory ${dataDirectory} can't be used: `), stderr.slice(0, 200))
        t.match(stderr, why)
      })
    }
  } finally {
    // Before the folder goes.
    await run('umount', [`${folder}/mounted`]).catch(() => undefined)
  }
})
