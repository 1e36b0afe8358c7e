/**
 * `npm run large-network [-- --nodes N] [--port P] [--sources]`: one node, and all others started beside it at once, as real processes on
 * this machine. They run the compiled program, which is built first (`--program FILE` names a start.js that was); with `--sources` each compiles for
 * itself when it starts.
 * Prints when the ring is whole, puts a file at each node and reads all of them at every node, kills three at once, and reads all of them
 * again at every survivor. Ends with 1 when a file is not there. `--profile FOLDER` has the tenth node write a profile of its processor
 * time into that folder when it is over.
 */
import { mkdtemp, readFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Caretaker } from '../../src/lab/experiments/caretaker.ts'
import { type Client, openClient } from './client.ts'
import { type NodeProcess, repositoryRoot, startNode, waitFor } from './harness.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '35' },
    port: { type: 'string', default: '24000' },
    sources: { type: 'boolean', default: false },
    program: { type: 'string' },
    profile: { type: 'string' },
  },
})
const [nodes, firstPort] = [Number(values.nodes), Number(values.port)]
if (!Number.isInteger(nodes) || nodes < 6 || !Number.isInteger(firstPort))
  throw new TypeError('--nodes is a whole number from 6 on, --port a port')

/** The defaults of a network. */
const COPIES = 3
const VIRTUAL_NODES = 8
const KILLED = 3
/** Requests at once: as many clients as a few people have. */
const AT_ONCE = 16
const WAIT_MS = 300_000

const folder = await mkdtemp(join(tmpdir(), 'altered-chord-large-network-'))
// Cleans up when this is killed, too.
const caretaker = new Caretaker()
caretaker.keeps(folder)
const running: NodeProcess[] = []
const clients = new Map<string, Client>()
let missing = 0
try {
  await main()
} finally {
  await Promise.all([...clients.values()].map(client => client.close()))
  await Promise.all(running.map(node => (values.profile === undefined ? node.kill() : node.stop())))
  await caretaker.close()
}
process.exitCode = missing === 0 ? 0 : 1

async function main(): Promise<void> {
  const program = values.sources ? join(repositoryRoot, 'start.js') : values.program
  const started = (index: number) =>
    startNode({
      port: firstPort + index,
      dataDirectory: join(folder, String(index)),
      // The first node answers when those that start leave it some of the processor.
      flags: ['--log-level', 'error', '--join-timeout', '5m'],
      readyTimeoutMs: WAIT_MS,
      readyPauseMs: 500,
      ...(program !== undefined && { program }),
      ...(index === 9 && values.profile && { nodeFlags: ['--cpu-prof', `--cpu-prof-dir=${values.profile}`] }),
      ...(index > 0 && { boots: [firstPort] }),
    }).then(node => {
      running.push(node)
      if (process.env.EACH) say(`node ${index} after ${(node.startMs / 1000).toFixed(1)} s`, 0)
      caretaker.started(node.pid)
    })
  await started(0)
  const beganMs = performance.now()
  await Promise.all(Array.from({ length: nodes - 1 }, (_, index) => started(index + 1)))
  say(`${nodes} nodes answer /ready${await used()}`, beganMs)
  await whole(nodes)
  say(`${nodes * VIRTUAL_NODES} ranges serve with ${COPIES} copies${await used()}`, beganMs)

  const paths = running.map(({ port }) => `large/${port}`)
  const putMs = performance.now()
  await each(paths, async (path, index) => {
    const reply = await clientOf(running[index] as NodeProcess).send('PUT', `/put/${path}`, { body: path })
    if (reply.status !== 201) throw new Error(`${path} was not stored: ${reply.body}`)
  })
  say(`${paths.length} files stored, one at each node`, putMs)
  await readEverywhere(paths)

  const killedMs = performance.now()
  await Promise.all(running.splice(nodes - KILLED, KILLED).map(node => node.kill()))
  await readEverywhere(paths)
  await whole(nodes - KILLED)
  say(`${KILLED} killed at once: every range has ${COPIES} copies again`, killedMs)
  await readEverywhere(paths)
}

/** Every range serves with all copies that it can have, and the ranges of all who are there have been cut. */
async function whole(count: number): Promise<void> {
  const client = clientOf(running[0] as NodeProcess)
  await waitFor(
    async () => {
      const reply = await client.send('GET', '/overlay')
      if (reply.status !== 200) return false
      const { ranges } = reply.json() as { ranges: { state: string; replicas: string[] }[] }
      return (
        ranges.length >= count * VIRTUAL_NODES &&
        ranges.every(({ state, replicas }) => state === 'serving' && replicas.length === COPIES)
      )
    },
    { timeoutMs: WAIT_MS, pauseMs: 250, what: 'the ring is whole' },
  )
}

async function readEverywhere(paths: readonly string[]): Promise<void> {
  const beganMs = performance.now()
  const asked = running.flatMap(node => paths.map(path => ({ node, path })))
  await each(asked, async ({ node, path }) => {
    const reply = await clientOf(node).send('GET', `/get/${path}`)
    if (reply.status === 200 && reply.body.toString() === path) return
    missing++
    console.log(`${path} at ${node.url}: ${reply.status} ${reply.body}`)
  })
  say(`${asked.length} reads, every file at every node, ${missing} without the file`, beganMs)
}

/** Processor time of all nodes since they were started; Linux only. A tick is 10 ms. */
async function used(): Promise<string> {
  const ticks = await Promise.all(
    running.map(async ({ pid }) => {
      const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
      const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
      return fields === undefined ? Number.NaN : Number(fields[11]) + Number(fields[12])
    }),
  )
  const seconds = ticks.reduce((sum, some) => sum + some, 0) / 100
  return Number.isNaN(seconds) ? '' : `, after ${seconds.toFixed(1)} s of processor time of all`
}

function clientOf({ url }: NodeProcess): Client {
  const client = clients.get(url) ?? openClient(url)
  clients.set(url, client)
  return client
}

async function each<Item>(items: readonly Item[], does: (item: Item, index: number) => Promise<void>) {
  const left = [...items.entries()]
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await does(next[1], next[0])
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

function say(what: string, sinceMs: number): void {
  const seconds = ((performance.now() - sinceMs) / 1000).toFixed(1)
  console.log(
    `${seconds.padStart(6)} s  ${what} (load ${loadavg()[0]?.toFixed(1)} on ${cpus().length} cores)`,
  )
}
