import { randomBytes } from 'node:crypto'
import { readdir, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Client, openClient, sha256Of } from './client.ts'
import { startNode, waitFor } from './harness.ts'
import { SmallDisk } from './small-disk.ts'
import { openNode } from './test-node.ts'

/** Bytes of the small filesystem: room for the index and a few large files. */
const DISK_BYTES = 32 * 1024 * 1024

const skip = await SmallDisk.refusal()

t.test('a full disk refuses large files with 507, and the rest goes on', { skip }, async t => {
  const disk = await mountSmallDisk(t)
  const { client } = await openNode(t, { dataDirectory: join(disk, 'data') })
  const kept = await fill(client, 3 * 1024 * 1024)
  t.ok(kept.size > 2, `${kept.size} files went in before the disk was full`)

  const refused = await client.put('too much', randomBytes(5 * 1024 * 1024))
  t.equal(refused.status, 507)
  t.match(refused.json(), { error: { code: 'DISK_FULL', retryable: true } })
  const overwrite = await client.put('file 0', randomBytes(5 * 1024 * 1024), { query: '?overwrite=true' })
  t.equal(overwrite.status, 507, 'an overwrite that fails')
  await expectExactly(t, client, kept)
  t.same(await readdir(join(disk, 'data', 'staging')), [], 'no staging is left')

  t.equal(
    (await client.send('DELETE', '/remove/file%200')).status,
    204,
    'a full disk still lets files be removed',
  )
  kept.delete('file 0')
  await waitFor(async () => (await client.put('again', randomBytes(2 * 1024 * 1024))).status === 201, {
    what: 'the space of a removed file is free again',
  })
})

t.test('a full trash gives way, the oldest first, before a file is refused', { skip }, async t => {
  const disk = await mountSmallDisk(t)
  const { client } = await openNode(t, { dataDirectory: join(disk, 'data') })
  const old = ['old 0', 'old 1', 'old 2']
  for (const path of old) t.equal((await client.put(path, randomBytes(4 * 1024 * 1024))).status, 201)
  for (const path of old)
    t.equal((await client.send('DELETE', `/remove/${encodeURIComponent(path)}`)).status, 204)
  const trash = async () => {
    const { versions } = (await client.send('GET', '/trash')).json() as { versions: { path: string }[] }
    return versions.map(({ path }) => path)
  }
  t.same(await trash(), old)
  const kept = new Map<string, string>()
  while (await keep(client, kept, `file ${kept.size}`, randomBytes(2 * 1024 * 1024))) {
    const left = await trash()
    t.same(left, old.slice(old.length - left.length), `after ${kept.size} files ${left.length} are left`)
  }
  t.same(await trash(), [], 'a file was refused when nothing was left to give')
  t.ok(kept.size >= 8, `${kept.size} files went in`)
  await expectExactly(t, client, kept)
})

t.test(
  'a disk without a free block refuses small files with 507 and serves the others',
  { skip },
  async t => {
    const disk = await mountSmallDisk(t)
    const dataDirectory = join(disk, 'data')
    const node = await startNode({ dataDirectory })
    t.teardown(() => node.kill())
    const client = openClient(node.url)
    t.teardown(() => client.close())
    const kept = new Map<string, string>()
    for (let i = 0; i < 20; i++) await keep(client, kept, `before ${i}`, randomBytes(20_000))

    const ballast = join(disk, 'ballast')
    await fillWithBallast(disk, ballast)
    // The index may have free pages of its own; sooner or later it needs a new one.
    await waitFor(async () => !(await keep(client, kept, `more ${kept.size}`, randomBytes(60_000))), {
      what: 'a small file is refused',
      pauseMs: 0,
    })
    for (let i = 0; i < 5; i++) {
      const reply = await client.put(`refused ${i}`, randomBytes(60_000))
      t.equal(reply.status, 507, reply.body.toString().slice(0, 200))
    }
    await expectExactly(t, client, kept)

    await rm(ballast)
    await waitFor(() => keep(client, kept, 'after', randomBytes(60_000)), { what: 'writes succeed again' })
    await expectExactly(t, client, kept)
    t.strictSame(await node.stop(), { code: 0, signal: null })

    const again = await startNode({ dataDirectory })
    t.teardown(() => again.kill())
    const later = openClient(again.url)
    t.teardown(() => later.close())
    await expectExactly(t, later, kept)
  },
)

t.test('room of small files that leave the trash is used again, and stays with the index', async t => {
  const dataDirectory = join(t.testdir(), 'data')
  const { client } = await openNode(t, { dataDirectory })
  const indexBytes = async () => (await stat(join(dataDirectory, 'index.mdb'))).size
  const sizes: number[] = []
  for (let round = 0; round < 6; round++) {
    // Small enough to lie in the index.
    for (let number = 0; number < 50; number++)
      t.equal((await client.put(`${round}-${number}`, randomBytes(60_000))).status, 201)
    for (let number = 0; number < 50; number++)
      t.equal((await client.send('DELETE', `/remove/${round}-${number}`)).status, 204)
    t.same((await client.send('DELETE', '/trash?prefix=')).json(), { versions: 50, bytes: 3_000_000 })
    sizes.push(await indexBytes())
  }
  t.comment(`the index after each round: ${sizes.join(', ')}`)
  const [first = 0] = sizes
  t.ok(first >= 3_000_000, 'it does not shrink')
  t.ok((sizes.at(-1) ?? 0) < first + 2 * 3_000_000, 'five more rounds need less than two')
})

/** Puts files of `size` bytes until one is refused. */
async function fill(client: Client, size: number): Promise<Map<string, string>> {
  const kept = new Map<string, string>()
  while (await keep(client, kept, `file ${kept.size}`, randomBytes(size)));
  return kept
}

/** Puts a file; remembers its hash when it was taken. @throws Error when it was neither taken nor 507. */
async function keep(
  client: Client,
  kept: Map<string, string>,
  path: string,
  bytes: Buffer,
): Promise<boolean> {
  const reply = await client.put(path, bytes)
  if (reply.status === 507) return false
  if (reply.status !== 201) throw new Error(`${path} was answered ${reply.status}: ${reply.body}`)
  kept.set(path, sha256Of(bytes))
  return true
}

async function expectExactly(t: Test, client: Client, kept: ReadonlyMap<string, string>): Promise<void> {
  const listed = await client.list()
  t.same(listed.map(file => file.path).sort(), [...kept.keys()].sort(), 'the list shows what was answered')
  const wrong: string[] = []
  for (const [path, sha256] of kept) {
    if ((await client.digest(path)).sha256 !== sha256) wrong.push(path)
  }
  t.same(wrong, [], 'every file that was answered is there, whole')
}

/** A filesystem of DISK_BYTES in memory, until the test ends. */
async function mountSmallDisk(t: Test): Promise<string> {
  const disk = await SmallDisk.mount(DISK_BYTES)
  t.teardown(() => disk.unmount())
  return disk.folder
}

/** Takes every free block, down to the last. */
async function fillWithBallast(disk: string, ballast: string): Promise<void> {
  for (const bytes of [1024 * 1024, 4096]) {
    const chunk = Buffer.alloc(bytes)
    while ((await statfs(disk)).bavail * 4096 >= bytes) {
      const full = await writeFile(ballast, chunk, { flag: 'a' }).then(
        () => false,
        () => true,
      )
      if (full) break
    }
  }
}
