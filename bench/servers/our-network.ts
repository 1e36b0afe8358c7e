/**
 * A network of our own nodes as servers under load: real processes on this machine with the usual settings.
 */
import { Cluster, type ClusterNode } from '../../test/e2e/cluster.ts'
import { ourProgram, profileFlags, targets } from './our-node.ts'
import type { Server } from './server.ts'

/** Starts the nodes one after the other and waits until every range has its replicas. Close it. */
export async function openOurNetwork(
  nodes: number,
  nodeFlags: readonly string[] = profileFlags(),
): Promise<Cluster> {
  return Cluster.start({ nodes, flags: ['--log-level', 'warn'], nodeFlags, program: ourProgram() })
}

/** One node as the endpoint through which a load comes; the processor time is that of all of them. */
export function asServer(cluster: Cluster, entry: ClusterNode): Server {
  return {
    name: 'altered-chord',
    port: entry.port,
    pid: entry.process.pid,
    pids: cluster.running.map(({ process }) => process.pid),
    ...targets,
    stop: () => cluster.close(),
  }
}

/** Paths that the entry node is a replica of, or none; each is left with a file of this many bytes. */
export async function pathsThatAre(
  where: 'here' | 'elsewhere',
  entry: ClusterNode,
  bytes: number,
  count: number,
): Promise<string[]> {
  const paths: string[] = []
  for (let number = 0; paths.length < count; number++) {
    const path = `bench/${where}/${bytes}/${number}`
    const url = `${entry.process.url}/put/${path}?overwrite=true`
    const reply = await fetch(url, { method: 'PUT', body: Buffer.alloc(bytes, 'altered-chord ') })
    const { replicas } = (await reply.json()) as { replicas?: readonly string[] }
    if (replicas === undefined) throw new Error(`${url} answered ${reply.status}`)
    if (replicas.includes(entry.address) === (where === 'here')) paths.push(path)
  }
  return paths
}
