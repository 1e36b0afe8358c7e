/**
 * Each alert rule in a real Prometheus that watches real nodes: what it is about is made to happen, the alert fires, the
 * trouble is mended, and the alert ends. Only the times of the rules are shorter than in deploy/prometheus-alerts.yaml.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { BadDisk, whyNoBadDisk } from '../e2e/bad-disk.ts'
import { Cluster } from '../e2e/cluster.ts'
import { type NodeProcess, repositoryRoot, startNode, waitFor } from '../e2e/harness.ts'
import { SmallDisk } from '../e2e/small-disk.ts'
import { type Alert, type Prometheus, startPrometheus, whyNoPrometheus } from './prometheus.ts'

t.setTimeout(900_000)

// They wait for most of their time. Each has nodes and a Prometheus of its own.
t.jobs = 3

const noPrometheus = whyNoPrometheus()
const noSmallDisk = await SmallDisk.refusal()

/** The rules with short times: an alert waits 2 s, and a rate is taken over 15 s. */
const text = readFileSync(join(repositoryRoot, 'deploy/prometheus-alerts.yaml'), 'utf8')
const rules = text.replaceAll(/for: \w+/g, 'for: 2s').replaceAll(/\[\w+\]/g, '[15s]')
const tried = new Set<string>()

interface Trouble {
  readonly nodes: readonly NodeProcess[]
  /** Done again and again until all of `alerts` fire. */
  readonly cause: () => Promise<unknown>
  readonly mend: () => Promise<unknown>
  /** Names, and the node that each names, if it names one. */
  readonly alerts: readonly (readonly [name: string, about?: NodeProcess])[]
}

async function seen(t: Test, { nodes, cause, mend, alerts }: Trouble): Promise<void> {
  const prometheus = await startPrometheus(
    t,
    nodes.map(({ url }) => url),
    rules,
  )
  const samples = async () => {
    const { result } = Object(await prometheus.ask('query?query=up')) as { result?: unknown[] }
    return result?.length === nodes.length
  }
  await waitFor(samples, { what: 'Prometheus has asked all', timeoutMs: 60_000, pauseMs: 500 })
  const names = alerts.map(([name]) => name)
  const none = async () =>
    (await firing(prometheus)).every(({ labels }) => !names.includes(labels.alertname ?? ''))
  t.ok(await none(), 'nothing fires while all is well')
  for (const [name, about] of alerts) {
    let found: Alert | undefined
    const fires = async () => {
      await cause()
      found = (await firing(prometheus)).find(
        ({ labels }) =>
          labels.alertname === name && (about === undefined || labels.instance === about.url.slice(7)),
      )
      return found !== undefined
    }
    await waitFor(fires, { what: `${name} fires`, timeoutMs: 120_000, pauseMs: 300 })
    t.comment(`${name}: ${found?.annotations.summary}`)
    t.ok(found?.annotations.summary, `${name} fires`)
    tried.add(name)
  }
  await mend()
  await waitFor(none, { what: `${names.join(', ')} end`, timeoutMs: 240_000, pauseMs: 500 })
}

async function firing(prometheus: Prometheus): Promise<readonly Alert[]> {
  const { alerts } = Object(await prometheus.ask('alerts')) as { alerts?: Alert[] }
  return (alerts ?? []).filter(({ state }) => state === 'firing')
}

const crashes = t.test('two of three nodes are killed', { skip: noPrometheus, buffered: true }, async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  const nodes = cluster.nodes.map(({ process }) => process) as [NodeProcess, NodeProcess, NodeProcess]
  const [left] = nodes
  let round = 0
  await seen(t, {
    nodes,
    async cause() {
      if (round === 0) await Promise.all([cluster.kill(1), cluster.kill(2)])
      await fetch(`${left.url}/get/${round++}`)
    },
    async mend() {
      await cluster.restart(1)
      await cluster.restart(2)
      // Who is back is noticed by who asks.
      await fetch(`${left.url}/list`)
    },
    alerts: [['NodeDown', nodes[1]], ['NodeDown', nodes[2]], ['NodesGone'], ['RequestsRefused', left]],
  })
})

const failing = t.test(
  'the disk does not take writes',
  { skip: noPrometheus || whyNoBadDisk(), buffered: true },
  async t => {
    const folder = t.testdir({ prometheus: {} })
    const disk = await BadDisk.make(folder)
    const dataDirectory = join(folder, 'data')
    const node = await startNode({ dataDirectory, environment: disk.environment, readyTimeoutMs: 120_000 })
    t.teardown(() => node.stop())
    const put = () => fetch(`${node.url}/put/a?overwrite=true`, { method: 'PUT', body: randomBytes(100_000) })
    await seen(t, {
      nodes: [node],
      async cause() {
        await disk.trouble('EIO', `${dataDirectory}/staging`)
        await put()
      },
      mend: () => disk.heal(),
      alerts: [['DiskRefuses', node]],
    })
    t.equal((await put()).status < 300, true, 'it takes writes again')
  },
)

const full = t.test('no space is left', { skip: noPrometheus || noSmallDisk, buffered: true }, async t => {
  const disk = await SmallDisk.mount(32 * 1024 * 1024)
  const node = await startNode({ dataDirectory: join(disk.folder, 'data'), readyTimeoutMs: 120_000 })
  t.teardown(async () => {
    await node.stop()
    await disk.unmount()
  })
  await seen(t, {
    nodes: [node],
    cause: () => fetch(`${node.url}/put/a`, { method: 'PUT', body: randomBytes(40 * 1024 * 1024) }),
    mend: async () => undefined,
    alerts: [['DiskFull', node]],
  })
})

const slow = t.test('questions take long', { skip: noPrometheus, buffered: true }, async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  const [asked, ...others] = cluster.nodes.map(({ process }) => process) as [NodeProcess, ...NodeProcess[]]
  let round = 0
  await seen(t, {
    nodes: [asked, ...others],
    async cause() {
      for (const node of others) node.pause()
      const questions = Array.from({ length: 40 }, () => fetch(`${asked.url}/exists/${round++}`))
      await delay(2_800)
      for (const node of others) node.resume()
      await Promise.all(questions)
      // Prometheus looks once a second.
      await delay(1_200)
    },
    mend: () => fetch(`${asked.url}/exists/a`),
    alerts: [['Slow', asked]],
  })
})

const open = t.test('nearly all open files are used', { skip: noPrometheus, buffered: true }, async t => {
  const openFilesMax = 200
  const node = await startNode({ openFilesMax, readyTimeoutMs: 120_000 })
  const sockets: Socket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await node.stop()
  })
  await seen(t, {
    nodes: [node],
    async cause() {
      const used = readdirSync(`/proc/${node.pid}/fd`).length
      for (let count = used; count < openFilesMax * 0.88; count++) {
        const socket = connect(node.port, '127.0.0.1')
        socket.on('error', () => undefined)
        sockets.push(socket)
      }
    },
    async mend() {
      for (const socket of sockets) socket.destroy()
    },
    alerts: [['FilesOpen', node]],
  })
})

await Promise.all([crashes, failing, full, slow, open])

t.test('no rule was left out', { skip: noPrometheus || whyNoBadDisk() || noSmallDisk }, async t => {
  const { groups } = parse(text) as { groups: { rules: { alert: string }[] }[] }
  const all = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))
  t.same([...tried].toSorted(), all.toSorted())
})
