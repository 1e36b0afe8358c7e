/**
 * Starts what docker-compose.yml starts, without a container engine: the program of the image with the environment of
 * each service, on machines of their own that know each other by the services' names.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openClient } from './client.ts'
import { CLUSTER_TIMEOUT_MS } from './cluster.ts'
import { type ComposeNode, composeNodes } from './compose-file.ts'
import { type Exit, repositoryRoot, waitFor } from './harness.ts'
import { NameSpaces, whyNoNameSpaces } from './name-spaces.ts'

const NODES = composeNodes()
/** The Node.js of the image, where somebody has fetched it. */
const NODE = process.env.NODE_OF_IMAGE || process.execPath
const PEERS = NODES[0]?.environment.PEERS ?? ''

/** A service of the compose file on its machine. */
class Container {
  readonly name: string
  readonly client: ReturnType<typeof openClient>
  readonly #spaces: NameSpaces
  readonly #node: ComposeNode
  readonly #volume: string
  #process: { readonly child: ChildProcess; readonly ended: Promise<Exit>; printed: string } | undefined

  constructor(spaces: NameSpaces, node: ComposeNode, folder: string) {
    this.name = node.name
    this.client = openClient(`http://${spaces.addressOf(node.name)}:${node.port}`)
    this.#spaces = spaces
    this.#node = node
    this.#volume = join(folder, node.name)
  }

  get printed(): string {
    return this.#process?.printed ?? ''
  }

  /** Resolves how the process of the last start ended. */
  get ended(): Promise<Exit> {
    return this.#process?.ended ?? Promise.reject(new Error(`${this.name} was never started`))
  }

  start(environment: Readonly<Record<string, string>> = {}): void {
    const [program, ...programArguments] = this.#spaces.commandOf(this.name) as [string, ...string[]]
    const [node, ...rest] = this.#node.command
    if (node !== 'node') throw new Error(`the image runs ${node}`)
    const child = spawn(program, [...programArguments, NODE, ...rest], {
      cwd: repositoryRoot,
      // The volume stands for the folder that it is mounted on.
      env: {
        PATH: process.env.PATH,
        ...this.#node.environment,
        ALTERED_CHORD_DATA: this.#volume,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Exit)
    const process_ = { child, ended, printed: '' }
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        process_.printed += text
      })
    this.#process = process_
  }

  async stop(): Promise<Exit> {
    this.#process?.child.kill('SIGTERM')
    return await this.ended
  }

  async ready(): Promise<void> {
    await this.until('it is ready', async () => (await this.client.send('GET', '/ready')).status === 200)
  }

  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const holds = async () => {
      if (this.#process?.child.exitCode != null) throw new Error(`${this.name} ended:\n${this.printed}`)
      return condition()
    }
    const quietly = async () => await Promise.resolve(holds()).catch(unlessEnded)
    await waitFor(quietly, { what: `${this.name}: ${what}`, timeoutMs: CLUSTER_TIMEOUT_MS, pauseMs: 100 })
  }

  async close(): Promise<void> {
    await this.client.close()
    if (this.#process === undefined) return
    this.#process.child.kill('SIGKILL')
    await this.ended
  }
}

/** A refused connection is asked again; an end is told. */
function unlessEnded(error: Error): false {
  if (/ ended:\n/.test(error.message)) throw error
  return false
}

/** The services of the compose file, none of them started. */
async function composed(t: Test): Promise<readonly [Container, Container, Container]> {
  const spaces = await NameSpaces.open(NODES.map(({ name }) => name))
  const folder = await mkdtemp(join(tmpdir(), 'altered-chord-compose-'))
  const containers = NODES.map(node => new Container(spaces, node, folder))
  t.teardown(async () => {
    await Promise.all(containers.map(container => container.close()))
    await spaces.close()
    await rm(folder, { recursive: true, force: true })
  })
  return containers as unknown as readonly [Container, Container, Container]
}

const WAITS = '"msg":"waiting for the boot node"'
const STOPPED = { code: 0, signal: null }
const skip = whyNoNameSpaces() ?? false

t.test('docker-compose.yml starts three nodes in any order, that keep their files', { skip }, async t => {
  const [node1, node2, node3] = await composed(t)
  node3.start()
  await node3.until('it waits', () => node3.printed.includes(WAITS))
  node1.start()
  await node1.until('it waits', () => node1.printed.includes(WAITS))
  t.equal((await node1.client.send('GET', '/ready')).status, 503, 'no network while one has never come')
  t.equal((await node1.client.send('GET', '/health')).status, 200)
  node2.start()
  for (const node of [node1, node2, node3]) await node.ready()

  t.equal((await node1.client.put('a/b.txt', 'first')).status, 201)
  t.equal((await node2.client.send('GET', '/get/a/b.txt')).body.toString(), 'first')
  t.equal((await node3.client.send('GET', '/exists/a/b.txt')).json(), true)
  t.equal((await node3.client.send('GET', '/copy/a%2Fb.txt/copy.txt')).status, 201)

  t.same(await node2.stop(), STOPPED)
  t.equal((await node3.client.send('GET', '/get/copy.txt')).body.toString(), 'first')
  t.equal((await node1.client.put('meanwhile.txt', 'second')).status, 201)
  node2.start()
  await node2.ready()
  t.equal((await node2.client.send('GET', '/get/meanwhile.txt')).body.toString(), 'second')

  t.same(await Promise.all([node1.stop(), node2.stop(), node3.stop()]), [STOPPED, STOPPED, STOPPED])
  // Nodes that know their network need no peer to come, and no order.
  for (const node of [node2, node1, node3]) node.start({ PEERS: `${PEERS},http://node4:5004` })
  for (const node of [node1, node2, node3]) {
    await node.ready()
    t.equal((await node.client.send('GET', '/get/meanwhile.txt')).body.toString(), 'second')
  }
  t.equal((await node3.client.put('after.txt', 'third')).status, 201)
})

t.test('a peer that never comes is named, and nobody founds a network without it', { skip }, async t => {
  const [node1, node2] = await composed(t)
  const peers = { PEERS: `${PEERS},http://node4:5004` }
  node1.start(peers)
  node2.start(peers)
  for (const node of [node1, node2])
    await node.until('it says whom it waits for', () =>
      /"boot":"node[34]:500[34]".*waiting/.test(node.printed),
    )
  t.equal((await node1.client.send('GET', '/health')).status, 200)
  t.equal((await node1.client.send('GET', '/ready')).status, 503)
  t.same([await node1.stop(), await node2.stop()], [STOPPED, STOPPED], 'a node that waits can be stopped')

  node1.start({ ...peers, ALTERED_CHORD_JOIN_TIMEOUT: '500ms' })
  t.same(await node1.ended, { code: 1, signal: null })
  t.match(
    node1.printed,
    /No network was found within 0.5 s: .*node4:5004 does not answer\. .* all have to be up once\. \(UNAVAILABLE\)/,
  )
})
