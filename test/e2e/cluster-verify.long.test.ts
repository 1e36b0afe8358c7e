/**
 * `altered-chord verify` over a network of processes: what is damaged on one disk, missing from it, or kept by too few
 * nodes is found and put right there, and told.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sha256Of } from './client.ts'
import { Cluster, type ClusterNode } from './cluster.ts'
import { type Finished, runProgram, waitFor } from './harness.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(1_200_000)

const verify = (node: ClusterNode): Promise<Finished> =>
  runProgram(['verify', '--node', node.process.url], { timeoutMs: 300_000 })

/** Again while the network still repairs itself, which takes its time where many processes share few cores. */
async function verifyUntilHealed(node: ClusterNode): Promise<string> {
  let said = ''
  const isHealed = async () => {
    const { code, stdout, stderr } = await verify(node)
    said += stderr + stdout
    return code === 0
  }
  await waitFor(isHealed, { what: 'verify has healed everything', timeoutMs: 400_000 }).catch(error => {
    throw new Error(`${error.message}:\n${said}`)
  })
  return said
}

/** The files of large bodies of one node. */
async function blobsOf(node: ClusterNode): Promise<string[]> {
  const entries = await readdir(join(node.dataDirectory, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

t.test('what went wrong on the disks of a network is found and healed', async t => {
  const cluster = await Cluster.start({ nodes: 4 })
  t.teardown(() => cluster.close())
  const large = Buffer.alloc(2_500_000, 'large ')
  for (let index = 0; index < 6; index++) {
    await cluster
      .node(index % 4)
      .client.put(`large/${index}`, Buffer.concat([large, Buffer.from(`${index}`)]))
    await cluster.node(index % 4).client.put(`small/${index}`, `the unmistakable bytes of ${index}`)
  }
  await cluster.settled()

  await t.test('all is well', async t => {
    const finished = await verify(cluster.node(2))
    t.match(finished, { code: 0, stderr: '' })
    t.match(
      finished.stdout,
      /^(\d+) ranges, \d+ files, .* read: 0 damaged, 0 under-replicated, 0 healed, 0 not healed\n$/,
    )
  })

  await t.test('flipped bytes of a large body are put right on that very disk', async t => {
    const [file] = await blobsOf(cluster.node(1))
    if (file === undefined) throw new Error('node 1 keeps large bodies')
    const good = await readFile(file)
    const bad = Buffer.from(good)
    bad.fill(0, 1_500_000, 1_500_100)
    await writeFile(file, bad)
    const finished = await verify(cluster.node(3))
    t.equal(finished.code, 0, finished.stderr)
    t.match(
      finished.stderr,
      new RegExp(`^healed: large/\\d at ${cluster.node(1).address}: .*\\(CORRUPT\\)\n$`),
    )
    t.match(finished.stdout, /1 damaged, 0 under-replicated, 1 healed, 0 not healed/)
    t.equal(sha256Of(await readFile(file)), sha256Of(good), 'the bytes are right again where they were wrong')
  })

  await t.test('large bodies that are gone from a disk come back to it', async t => {
    const before = await blobsOf(cluster.node(0))
    t.ok(before.length > 0)
    await rm(join(cluster.node(0).dataDirectory, 'blobs'), { recursive: true })
    const finished = await verify(cluster.node(0))
    t.equal(finished.code, 0, finished.stderr)
    t.same((await blobsOf(cluster.node(0))).sort(), before.sort())
    t.match((await verify(cluster.node(0))).stdout, / 0 damaged/)
  })

  await t.test('a damaged small file inside the index is put right', async t => {
    const damaged = await damageSmallFile(cluster.node(2))
    const finished = await verify(cluster.node(1))
    t.equal(finished.code, 0, finished.stderr)
    t.match(finished.stderr, `healed: ${damaged} at ${cluster.node(2).address}`)
    t.match((await verify(cluster.node(1))).stdout, / 0 damaged/)
  })

  await t.test('the ranges of a node that died unnoticed are taken over', async t => {
    await cluster.kill(3)
    const said = await verifyUntilHealed(cluster.node(0))
    t.match(said, `not checked: ${cluster.node(3).address}: `)
    t.match(said, /healed: range /)
    t.match(said, /, [1-9]\d* under-replicated, [1-9]\d* healed, /)
    for (let index = 0; index < 6; index++) {
      const { size, status } = await cluster.node(1).client.digest(`large/${index}`)
      t.same({ size, status }, { size: large.length + 1, status: 200 })
    }
  })

  await t.test('a node that comes back with an empty disk gets everything again', async t => {
    await cluster.restartWiped(3)
    await verifyUntilHealed(cluster.node(3))
    t.ok((await blobsOf(cluster.node(3))).length > 0)
    t.match(await verify(cluster.node(2)), { code: 0, stderr: '' })
  })
})

/** Flips a byte of every copy of a small file's bytes that the index of an idle node has; gives its path. */
async function damageSmallFile(node: ClusterNode): Promise<string> {
  const file = join(node.dataDirectory, 'index.mdb')
  for (let index = 0; index < 6; index++) {
    const bytes = await readFile(file)
    let found = false
    for (
      let at = bytes.indexOf(`bytes of ${index}`);
      at !== -1;
      at = bytes.indexOf(`bytes of ${index}`, at + 1)
    ) {
      bytes[at] = 'B'.charCodeAt(0)
      found = true
    }
    if (!found) continue
    await writeFile(file, bytes, { flag: 'r+' })
    return `small/${index}`
  }
  throw new Error('the node keeps a small file')
}
