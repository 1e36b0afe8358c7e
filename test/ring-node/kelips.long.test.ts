/**
 * A hundred nodes that route by Kelips, in one process: each knows a part of the others only, and answers for all files.
 */
import t from 'tap'
import { errorCode } from '../../src/errors.ts'
import { FileService } from '../../src/files/file-service.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { InProcess, type InProcessNode } from './in-process.ts'

const NODES = Number(process.env.NODES ?? 100)
const FILES = 12
const GOSSIP = { periodMs: 500, fanOut: 2, failMs: 8_000, ttlMs: 60_000 }

t.setTimeout(20 * 60_000)

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 240_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`It never came to be: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

const paths = Array.from({ length: FILES }, (_, index) => parsePathName(`files/${index}`))
const textOf = (path: string) => `This is ${path}.`

function filesOf({ ring, storage }: InProcessNode): FileService {
  if (ring === undefined) throw new Error('The node does not run.')
  return new FileService(
    { replication: ring.replication, storage },
    { consistency: 'chain', fileBytesMax: 2 ** 20 },
  )
}

async function* bytesOf(text: string) {
  yield Buffer.from(text)
}

async function textAt(node: InProcessNode, path: (typeof paths)[0]): Promise<string | undefined> {
  const files = filesOf(node)
  const found = await files.find(path)
  if (found.record === undefined) return undefined
  return Buffer.from((await files.read({ ...found, record: found.record })) as Uint8Array).toString()
}

/** Every range that a node replicates is served, by three. */
function isSettled(net: InProcess): boolean {
  return net.running.every(({ ring, storage }) =>
    ring?.driver.known
      .held()
      .filter(({ view }) => view.replicas.includes(storage.nodeId as never))
      .every(
        ({ view, active, sealed, next }) =>
          (sealed && next !== undefined) || (active && !sealed && view.replicas.length === 3),
      ),
  )
}

async function isListedWhole(node: InProcessNode): Promise<boolean> {
  const listed = await node.ring?.replication.list({ prefix: 'files/', limit: FILES + 1 }).catch(() => [])
  return listed?.length === FILES
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

t.test(
  'every file is readable at every node, lists are whole, and one half may be killed and come back',
  async t => {
    const net = new InProcess({ routing: 'kelips', replicas: 3, virtualNodes: 1, gossip: GOSSIP })
    t.teardown(() => net.close())
    const beganMs = Date.now()
    const say = (what: string) => t.comment(`${((Date.now() - beganMs) / 1000).toFixed(1)} s: ${what}`)
    for (let count = 0; count < NODES; count++) await net.add()
    await until(() => isSettled(net), 'every range is where it belongs')
    say('settled')

    const known = () => net.running.map(({ ring }) => ring?.members.map.aliveCount ?? 0)
    const views = () => net.running.map(({ ring }) => ring?.driver.known.newest().length ?? 0)
    await until(() => meanOf(known()) < 0.75 * NODES, 'the nodes forget whom they need not know')
    say(`nodes known: ${meanOf(known())}, at most ${Math.max(...known())}; views known: ${meanOf(views())}`)

    for (const [index, path] of paths.entries()) {
      const node = net.nodes[(index * 7) % NODES] as InProcessNode
      await filesOf(node).put(path, bytesOf(textOf(path)), {
        condition: 'absent',
        meta: { mediaType: 'text/plain' },
      } as never)
    }
    say('put')
    const readAll = async () => {
      let wrong = 0
      for (const node of net.running)
        await Promise.all(
          paths.map(async path => {
            const text = await textAt(node, path).catch(error => String(errorCode(error)))
            if (text !== textOf(path)) wrong++
            if (text !== textOf(path) && wrong < 5) t.comment(`${node.address} ${path}: ${text}`)
          }),
        )
      return wrong
    }
    t.equal(await readAll(), 0, 'every file is read at every node')
    say('read')
    for (const node of [net.nodes[0], net.nodes[NODES >> 1], net.nodes[NODES - 1]])
      await until(() => isListedWhole(node as InProcessNode), 'a list is whole')
    const isWholePicture = async () => {
      const { ranges } = (await net.nodes[1]?.ring?.allNodes.overlay()) ?? { ranges: [] }
      return ranges.length === NODES && ranges.every(({ state }) => state === 'serving')
    }
    await until(isWholePicture, 'the picture of the ring has every range once')
    say('listed')

    const half = net.nodes.filter((_, index) => index % 2 === 1)
    for (const node of half) await net.kill(node)
    say('killed')
    let answered = 0
    const some = net.running.filter((_, index) => index % 10 === 0)
    const asked = some.flatMap(node => paths.slice(0, 4).map(path => ({ node, path })))
    await Promise.all(
      asked.map(async ({ node, path }) => {
        const text = await textAt(node, path).catch(error => errorCode(error))
        if (text === textOf(path)) answered++
        else t.match(text, /^(UNAVAILABLE|INDETERMINATE)$/, 'what is not known is refused')
      }),
    )
    say(`${answered} of ${asked.length} reads answered`)
    for (const node of half) await net.start(node)
    say('back')
    await until(() => isSettled(net), 'every range is where it belongs again')
    say('settled again')
    await until(async () => (await readAll()) === 0, 'every file is read at every node again')
    await until(() => isListedWhole(net.nodes[0] as InProcessNode), 'a list is whole again')
    say('all is as it was')
  },
)
