/**
 * Fills real small file systems, made for the test: one in memory, and one that finds out late, at the flush, that it
 * is full. Mounting needs root; without it the tests say so and are skipped.
 */
import { execFile } from 'node:child_process'
import { type FileHandle, mkdir, mkdtemp, open, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { bodyOf, bytesOf, move, put, remove } from './conformance.ts'

const run = promisify(execFile)

const fileSystems: [string, (folder: string, disk: string) => Promise<unknown>][] = [
  ['tmpfs', (_, disk) => run('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk])],
  [
    'ext4',
    async (folder, disk) => {
      const image = join(folder, 'image')
      await writeFile(image, '')
      await truncate(image, 64 * 1024 * 1024)
      await run('mkfs.ext4', ['-q', '-m', '0', image])
      await run('mount', ['-o', 'loop', image, disk])
    },
  ],
]

for (const [name, mount] of fileSystems)
  t.test(`a full ${name} refuses writes, keeps what it has, serves reads, and recovers`, async t => {
    const disk = await mounted(t, mount).catch((error: Error) => error.message.trim())
    if (typeof disk === 'string') {
      t.pass(`a full ${name}`, { skip: `it can't be mounted here: ${disk}` })
      return
    }
    const directory = `/proc/self/fd/${disk.fd}/data`
    const storage = await LmdbStorage.open({ env: realEnv() }, { directory })
    try {
      await fillAndRecover(t, storage, directory)
    } finally {
      await storage.close()
    }
    const again = await LmdbStorage.open({ env: realEnv() }, { directory })
    t.ok([...again.list('')].length > 0)
    t.match(again.statistics(), { files: [...again.list('')].length })
    await again.close()
  })

/** Only this process reaches the file system, by its handle, so that nothing is left of it when the process is killed. */
async function mounted(
  t: Test,
  mount: (folder: string, disk: string) => Promise<unknown>,
): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'altered-chord-full-'))
  const disk = join(folder, 'disk')
  try {
    await mkdir(disk)
    await mount(folder, disk)
    const handle = await open(disk)
    t.teardown(() => handle.close())
    await run('umount', ['--lazy', disk])
    return handle
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function fillAndRecover(t: Test, storage: LmdbStorage, directory: string): Promise<void> {
  for (const name of ['tiny/kept', 'kept']) await put(storage, name, bodyOf(300, 0))
  for (const [folder, size] of [
    ['large', 3_000_000],
    ['middle', 300_000],
    ['small', 30_000],
    ['tiny', 300],
  ] as const) {
    const stored = await fill(storage, folder, size)
    t.comment(`${stored} files of ${size} bytes until it was full`)
    t.same(await readdir(join(directory, 'staging')), [], 'nothing half-written stays')
    t.equal(storage.statistics().staged, 0)
    const kept = folder === 'tiny' ? 1 : 0
    t.equal([...storage.list(`${folder}/`)].length, stored + kept, 'no file that was refused shows')
    for (let i = 0; i < stored; i += Math.ceil(stored / 20)) {
      t.ok(
        bodyOf(size, i).equals((await bytesOf(storage, `${folder}/${i}`)) ?? Buffer.of()),
        'a file is still read',
      )
    }
  }
  const before = storage.statistics().files
  for (const { path } of storage.list('tiny/')) await remove(storage, path)
  await move(storage, 'kept', 'moved')
  for (const { path } of storage.list('large/')) await remove(storage, path)
  t.ok(storage.statistics().files < before)
  t.ok((await fill(storage, 'again', 3_000_000)) > 2, 'there is room again')
  await remove(storage, 'again/0')
}

/** Puts files until the disk is full; says how many were put. */
async function fill(storage: LmdbStorage, folder: string, size: number): Promise<number> {
  for (let i = 0; i < 100_000; i += 1) {
    try {
      await put(storage, `${folder}/${i}`, bodyOf(size, i))
    } catch (error) {
      if ((error as { code?: string }).code === 'DISK_FULL') return i
      throw error
    }
  }
  throw new Error('the disk never got full')
}
