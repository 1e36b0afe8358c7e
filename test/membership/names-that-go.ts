/**
 * Nodes come with new names and go for good: the ring is cut no further than the network was ever large.
 */
import type { Test } from 'tap'
import { InProcess } from '../ring-node/in-process.ts'

const NODES = 4
const VIRTUAL_NODES = 2

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 120_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`It never came to be: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Ranges of which some running node believes that they are the newest. */
function rangesOf(net: InProcess): number {
  const boundaries = new Set(
    net.running.flatMap(({ ring }) => ring?.driver.known.newest().map(({ hi }) => hi)),
  )
  return boundaries.size
}

function isSettled(net: InProcess): boolean {
  const running = net.running.map(({ storage }) => storage.nodeId)
  return net.running.every(({ ring }) => {
    const newest = ring?.driver.known.newest() ?? []
    return newest.length > 0 && newest.every(({ replicas }) => replicas.every(node => running.includes(node)))
  })
}

/** One node leaves and one with a new name comes, until so many names have been there. */
export async function testNamesThatGo(t: Test, names: number): Promise<void> {
  const net = new InProcess({ routing: 'path', replicas: 2, virtualNodes: VIRTUAL_NODES })
  t.teardown(() => net.close())
  for (let count = 0; count < NODES; count++) await net.add()
  for (let name = NODES; name < names; name++) {
    const leaving = net.running[1] as (typeof net.nodes)[0]
    await leaving.ring?.allNodes.depart(new AbortController().signal)
    await net.kill(leaving)
    await net.add()
  }
  const ranges = NODES * VIRTUAL_NODES
  // The ring is cut for those who have come last a moment after they are there.
  const isWhole = () => isSettled(net) && rangesOf(net) >= ranges
  await until(isWhole, 'every range is kept by those who are there, and cut for all of them')
  t.equal(net.running.length, NODES)
  t.equal(rangesOf(net), ranges, `of ${names} names`)
}
