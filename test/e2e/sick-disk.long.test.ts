/**
 * Nodes that are well but for the way that bodies take on their disks. The others store bodies for their ranges without them, and
 * they come back by themselves once the way is open.
 */
import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { BadDisk, type Trouble, whyNoBadDisk } from './bad-disk.ts'
import { Cluster, type ClusterNode, replicasOf } from './cluster.ts'
import { waitFor } from './harness.ts'

t.setTimeout(900_000)

// They wait for most of their time. Each has nodes and a disk of its own.
t.jobs = 4

interface Illness {
  readonly name: string
  readonly skip?: string | false
  /** As which user the node runs. */
  readonly user?: number
  break(place: Place): Promise<void>
  /** Undefined where the node mends it by itself. */
  readonly heal?: (place: Place) => Promise<void>
}

interface Place {
  readonly data: string
  readonly disk: BadDisk | undefined
}

const isRoot = process.getuid?.() === 0
const noShim = whyNoBadDisk()
const run = promisify(execFile)

/** What the system calls nobody. */
const NOBODY = 65_534

/** A folder or a file of the node gives an error, or does not return. */
function shimmed(name: string, trouble: Trouble, file: string): Illness {
  return {
    name,
    skip: noShim,
    break: async ({ data, disk }) => disk?.trouble(trouble, `${data}/${file}`),
    heal: async ({ disk }) => disk?.heal(),
  }
}

const ILLNESSES: readonly Illness[] = [
  {
    name: 'staging is gone',
    break: ({ data }) => rm(`${data}/staging`, { recursive: true }),
  },
  {
    name: 'a file is in the place of staging',
    async break({ data }) {
      await rename(`${data}/staging`, `${data}/aside`)
      await writeFile(`${data}/staging`, 'x')
    },
    heal: ({ data }) => rm(`${data}/staging`),
  },
  {
    name: 'staging is mounted read-only (EROFS)',
    skip: !isRoot && 'mounts need root',
    async break({ data }) {
      await run('mount', ['--bind', `${data}/staging`, `${data}/staging`])
      await run('mount', ['-o', 'remount,bind,ro', `${data}/staging`])
    },
    heal: async ({ data }) => void (await run('umount', [`${data}/staging`])),
  },
  {
    name: 'the node may not write to staging (EACCES)',
    skip: !isRoot && 'only root may run a node as another user',
    user: NOBODY,
    break: ({ data }) => chmod(`${data}/staging`, 0o500),
    heal: ({ data }) => chmod(`${data}/staging`, 0o700),
  },
  shimmed('bodies give an input/output error (EIO)', 'EIO', 'staging'),
  shimmed('there is no room for bodies (ENOSPC)', 'ENOSPC', 'staging'),
  shimmed('the index gives an input/output error (EIO)', 'EIO', 'index.mdb'),
  shimmed('bodies are written to a disk that hangs', 'hang', 'staging'),
  shimmed('the names of bodies are written to a disk that hangs', 'hang', 'blobs'),
  shimmed('the index lies on a disk that hangs', 'hang', 'index.mdb'),
]

/** Bodies for ranges of a node, put at the others; each is tried again while it is refused. */
async function putAll(
  cluster: Cluster,
  sick: ClusterNode,
  name: string,
): Promise<readonly (readonly string[])[]> {
  const addresses = cluster.nodes.map(({ address }) => address)
  const others = cluster.nodes.filter(node => node !== sick)
  const paths = Array.from({ length: 400 }, (_, index) => `${name}/${index}`)
    .filter(path => replicasOf(path, addresses).includes(sick.address))
    .slice(0, 12)
  const kept: (readonly string[])[] = []
  for (const [index, path] of paths.entries()) {
    const { client } = others[index % others.length] as ClusterNode
    let last = ''
    await waitFor(
      async () => {
        const reply = await client.put(path, Buffer.alloc(100_000, path), { query: '?overwrite=true' })
        last = reply.body.toString()
        if (reply.status < 300) kept.push((reply.json() as { replicas: string[] }).replicas)
        return reply.status < 300
      },
      { what: `${path} is stored`, timeoutMs: 120_000, pauseMs: 100 },
    ).catch((error: Error) => {
      throw new Error(`${error.message}; the last answer: ${last}\n${cluster.output().slice(-6_000)}`)
    })
  }
  return kept
}

for (const illness of ILLNESSES) {
  t.test(illness.name, { skip: illness.skip ?? false, buffered: true }, async t => {
    const folder = t.testdir()
    const data = `${folder}/data`
    if (illness.user !== undefined) {
      await mkdir(data)
      await chown(data, illness.user, illness.user)
      await chmod(folder, 0o755)
    }
    const disk = noShim === false && illness.user === undefined ? await BadDisk.make(folder) : undefined
    const place = { data, disk }
    const cluster = await Cluster.start({
      nodes: 4,
      dataDirectories: { 3: data },
      ...(illness.user !== undefined && { users: { 3: illness.user } }),
      ...(disk !== undefined && { environments: { 3: disk.environment } }),
    })
    t.teardown(() => cluster.close())
    const sick = cluster.node(3)
    await putAll(cluster, sick, 'well')
    await illness.break(place)
    t.teardown(() => illness.heal?.(place).catch(() => undefined))
    const began = performance.now()
    const kept = await putAll(cluster, sick, 'sick')
    t.comment(`12 bodies were stored after ${Math.round((performance.now() - began) / 100) / 10} s`)
    if (illness.heal === undefined) {
      t.ok(
        kept.every(replicas => replicas.includes(sick.address)),
        'it has mended it, and keeps its part',
      )
      t.ok((await readdir(data)).includes('staging'))
      return
    }
    t.notOk(kept.at(-1)?.includes(sick.address), 'the others go on without it')
    // The others may go on before a disk that hangs has hung for so long that it is said.
    const saysWhy = () => sick.process.output().includes('"op":"persist"')
    await waitFor(saysWhy, { what: 'it says why', timeoutMs: 120_000, pauseMs: 100 })
    const own = await sick.client.put('own', Buffer.alloc(100_000), { query: '?overwrite=true' })
    t.match(
      own.json(),
      { error: { code: /UNAVAILABLE|DISK_FULL|INDETERMINATE/ } },
      'also to those who ask it',
    )
    t.not((await sick.client.send('GET', '/ready')).status, 200)
    await illness.heal(place)
    await cluster.settled()
    t.ok(
      (await putAll(cluster, sick, 'healed')).every(replicas => replicas.includes(sick.address)),
      'it takes part again',
    )
  })
}
