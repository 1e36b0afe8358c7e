/**
 * What went wrong on the disks of a network with eventual consistency: `verify` finds it, and has it anew from another replica.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Cluster, type ClusterNode } from './cluster.ts'
import { atRest, EVENTUAL, read } from './models.ts'

t.setTimeout(600_000)

async function verify(node: ClusterNode): Promise<{ words: readonly Word[]; last: Word }> {
  const reply = await node.client.send('POST', '/verify')
  const words = reply.body
    .toString()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Word)
  return { words, last: words.at(-1) ?? {} }
}

type Word = Readonly<Record<string, unknown>>

async function blobsOf(node: ClusterNode): Promise<string[]> {
  const entries = await readdir(join(node.dataDirectory, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

/** Changes a byte wherever the index of a node has these. Gives how often. */
async function damage(node: ClusterNode, text: string): Promise<number> {
  const file = join(node.dataDirectory, 'index.mdb')
  const bytes = await readFile(file)
  let found = 0
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + 1), found++)
    bytes[at] = (bytes[at] as number) ^ 1
  await writeFile(file, bytes, { flag: 'r+' })
  return found
}

t.test('damaged bytes are found and had anew from another replica', async t => {
  const cluster = await Cluster.start({ nodes: 3, flags: EVENTUAL })
  t.teardown(() => cluster.close())
  const [first, second] = cluster.nodes as [ClusterNode, ClusterNode]
  const large = Buffer.alloc(2_500_000, 'large ')
  await first.client.put('large', large)
  await first.client.put('small', 'the unmistakable bytes', {
    headers: { 'idempotency-key': 'key-of-small' },
  })
  await first.client.put('noted', 'text', { headers: { 'idempotency-key': 'unmistakable-key' } })
  await atRest(cluster.nodes)
  t.match((await verify(first)).last, { damaged: 0, underReplicated: 0 })

  await t.test('flipped bytes of a large body', async t => {
    const [file = ''] = await blobsOf(second)
    const good = await readFile(file)
    const bad = Buffer.from(good)
    bad.fill(0, 1_500_000, 1_500_100)
    await writeFile(file, bad)
    const { last, words } = await verify(first)
    t.match(
      words.find(({ path }) => path === 'large'),
      { node: second.address, code: 'CORRUPT', healed: true },
    )
    t.match(last, { damaged: 1, healed: 1 })
    t.ok((await readFile(file)).equals(good), 'the bytes are right again where they were wrong')
  })

  await t.test('a large body that is gone', async t => {
    const before = await blobsOf(second)
    await rm(join(second.dataDirectory, 'blobs'), { recursive: true })
    t.match((await verify(first)).last, { damaged: 1, healed: 1 })
    t.same(await blobsOf(second), before)
  })

  await t.test('flipped bytes of a small body', async t => {
    t.ok((await damage(second, 'the unmistakable bytes')) > 0)
    t.match((await verify(first)).last, { damaged: 1, healed: 1 })
    t.equal(await read(second.client, 'small'), 'the unmistakable bytes')
  })

  await t.test('what is noted of a file is damaged while its node is down', async t => {
    await cluster.stop(1)
    t.ok((await damage(second, Buffer.from('unmistakable-key').toString('base64url'))) > 0)
    await cluster.restart(1)
    t.equal(await read(second.client, 'noted'), 'text', 'another replica gives the file')
    await atRest(cluster.nodes)
    await verify(first)
    t.match((await verify(first)).last, { damaged: 0, underReplicated: 0 })
    t.equal(await read(second.client, 'noted'), 'text')
  })

  await t.test('what no other replica has is said', async t => {
    await cluster.kill(0)
    await cluster.kill(2)
    const [file = ''] = await blobsOf(second)
    await rm(file)
    const { words } = await verify(second)
    t.match(
      words.find(({ path }) => path === 'large'),
      { code: /CORRUPT|FILE_NOT_FOUND/, healed: false },
    )
  })
})
