/**
 * Nodes that are well but for the way that bodies take on their disks. The others store bodies for their ranges without them, and
 * they come back by themselves once the way is open.
 */
import { chmod, chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import t from 'tap'
import { Cluster, type ClusterNode, replicasOf } from './cluster.ts'
import { waitFor } from './harness.ts'

t.setTimeout(300_000)

interface Illness {
  readonly name: string
  readonly skip?: string | false
  /** As which user the node runs. */
  readonly user?: number
  break(data: string): Promise<void>
  /** Undefined where the node mends it by itself. */
  readonly heal?: (data: string) => Promise<void>
}

const ILLNESSES: readonly Illness[] = [
  {
    name: 'staging is gone',
    break: data => rm(`${data}/staging`, { recursive: true }),
  },
  {
    name: 'a file is in the place of staging',
    async break(data) {
      await rename(`${data}/staging`, `${data}/aside`)
      await writeFile(`${data}/staging`, 'x')
    },
    heal: data => rm(`${data}/staging`),
  },
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
  t.test(illness.name, { skip: illness.skip ?? false }, async t => {
    const folder = t.testdir()
    const data = `${folder}/data`
    if (illness.user !== undefined) {
      await mkdir(data)
      await chown(data, illness.user, illness.user)
      await chmod(folder, 0o755)
    }
    const cluster = await Cluster.start({
      nodes: 4,
      dataDirectories: { 3: data },
      ...(illness.user !== undefined && { users: { 3: illness.user } }),
    })
    t.teardown(() => cluster.close())
    const sick = cluster.node(3)
    await putAll(cluster, sick, 'well')
    await illness.break(data)
    t.teardown(() => illness.heal?.(data).catch(() => undefined))
    const kept = await putAll(cluster, sick, 'sick')
    if (illness.heal === undefined) {
      t.ok(
        kept.every(replicas => replicas.includes(sick.address)),
        'it has mended it, and keeps its part',
      )
      t.ok((await readdir(data)).includes('staging'))
      return
    }
    t.notOk(kept.at(-1)?.includes(sick.address), 'the others go on without it')
    t.match(sick.process.output(), /"op":"persist"/, 'and it says why')
    await illness.heal(data)
    await cluster.settled()
    t.ok(
      (await putAll(cluster, sick, 'healed')).every(replicas => replicas.includes(sick.address)),
      'it takes part again',
    )
  })
}
