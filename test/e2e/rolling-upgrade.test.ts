/**
 * A network that is upgraded node by node while files are put and read: three nodes that speak the fourth version of the
 * peer protocol are stopped and come back, one after the other, as programs that speak the fifth one. What is replaced and removed meanwhile is in the trash.
 */
import { join } from 'node:path'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import type { ProtocolVersion } from '../../src/peer/protocol.ts'
import type { Address } from '../../src/ring/identifier.ts'
import { type RunningNode, runningNode, settled } from '../running-node.ts'
import { freePort, waitFor } from './harness.ts'
import { answerOf, rollingLoad } from './rolling-load.ts'

// Longer than any wait for a node below: a machine that is shared takes its time.
t.setTimeout(600_000)

/** Longest wait for one condition, ms. */
const WAIT_MS = 120_000

type Word = {
  readonly node?: string
  readonly path?: string
  readonly message?: string
  readonly done?: boolean
}

async function verify(url: string): Promise<Word[]> {
  const reply = await fetch(`${url}/verify`, { method: 'POST' })
  return (await reply.text())
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Word)
}

t.test('three nodes are upgraded one by one while files are put and read', async t => {
  const folder = t.testdir({})
  const refused: object[] = []
  const env = realEnv({
    debug() {},
    info() {},
    warn: fields => refused.push(fields),
    error: fields => refused.push(fields),
  })
  const ports = [await freePort(), await freePort(), await freePort()]
  const nodes: RunningNode[] = []
  const start = async (index: number, speaks: ProtocolVersion) => {
    const flags = { port: `${ports[index]}`, boot: `${ports[0]}`, data: join(folder, `${index}`) }
    nodes[index] = await runningNode(t, flags, env, { speaks })
  }
  for (const index of ports.keys()) await start(index, 4)
  const urls = () => nodes.map(({ url }) => url)
  await settled(urls())
  let down = -1
  const client = rollingLoad(() => urls().filter((_, index) => index !== down))
  await client.progress()
  for (const index of [2, 0, 1]) {
    const old = nodes[index] as RunningNode
    down = index
    await old.node.stop()
    await start(index, 5)
    await settled(urls())
    down = -1
    await client.progress()
    // Of nodes of both versions one replaces and one removes what the other has written.
    const [here, next] = [urls()[index], urls()[(index + 1) % 3]]
    for (const name of ['replaced', 'removed'])
      t.ok((await answerOf(`${here}/put/slip/${name}-${index}`, { method: 'PUT', body: 'before' })).ok)
    const replace = `${next}/put/slip/replaced-${index}?overwrite=true`
    t.ok((await answerOf(replace, { method: 'PUT', body: 'after' })).ok)
    t.ok((await answerOf(`${next}/remove/slip/removed-${index}`, { method: 'DELETE' })).ok)
    // What both versions have works between them; a node that is too busy to answer is asked again.
    const checksAll = async () => {
      const words = await verify((nodes[index] as RunningNode).url)
      const named = words.filter(({ node, path }) => node !== undefined && path === undefined)
      return words.at(-1)?.done === true && named.length === 0
    }
    await waitFor(checksAll, { what: 'verify reaches every node', timeoutMs: WAIT_MS })
  }
  await client.end()
  for (const path of client.written)
    for (const url of urls()) t.equal(await (await fetch(`${url}/get/${path}`)).text(), path)
  const slips = ['removed-0', 'removed-1', 'removed-2', 'replaced-0', 'replaced-1', 'replaced-2']
  for (const url of urls()) {
    const { versions } = JSON.parse((await answerOf(`${url}/trash?prefix=slip/`)).text) as {
      versions: { path: string }[]
    }
    t.same(
      versions.map(({ path }) => path),
      slips.map(name => `slip/${name}`),
      'every node shows the same trash',
    )
  }
  for (const name of slips) {
    const body = JSON.stringify({ path: `slip/${name}`, overwrite: true })
    t.ok((await answerOf(`${urls()[0]}/trash/restore`, { method: 'POST', body })).ok)
    t.equal((await answerOf(`${urls()[1]}/get/slip/${name}`)).text, 'before')
  }
  const speakTheNewVersion = async () => {
    for (const url of urls()) await (await fetch(`${url}/overlay`)).text()
    return nodes.every(({ node }, index) => {
      const others = ports.filter((_, other) => other !== index)
      const versions = node.ringForTests?.credentials.versions
      return others.every(port => versions?.of(`127.0.0.1:${port}` as Address) === 5)
    })
  }
  await waitFor(speakTheNewVersion, { what: 'all speak the new version', timeoutMs: WAIT_MS })
  t.notOk(
    refused.some(fields => (fields as { code?: string }).code === 'INVALID_REQUEST'),
    'nobody was sent what it does not understand',
  )
})
