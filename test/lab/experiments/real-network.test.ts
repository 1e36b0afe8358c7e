import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { RealNetwork, type RealNetworkInit } from '../../../src/lab/experiments/real-network.ts'

// Processes take their time to start on a machine that is shared.
t.setTimeout(600_000)

const { signal } = new AbortController()
const small: RealNetworkInit = {
  nodes: 2,
  learn: 'path',
  virtualNodes: 1,
  replicas: 1,
  keep: 'memory',
  signal,
}

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('nodes run, answer, and are gone at the end', async t => {
  const network = await RealNetwork.start({ env: realEnv() }, small)
  t.teardown(() => network.close())
  const pids = network.pids
  t.equal(pids.length, 2)
  t.ok(pids.every(isRunning))
  t.equal(new Set(network.urls).size, 2)
  // While the last view takes effect, the two may still name different owners.
  for (;;) {
    const [one, other] = await Promise.all([0, 1].map(node => network.lookup(node, 'a')))
    if (one?.owner === other?.owner && one?.hops !== other?.hops) break
    await delay(100)
  }
  t.pass('they agree on the owner, which is one of them')
  t.same(await network.mapSizes(), [1, 1])
  await network.close()
  t.notOk(pids.some(isRunning))
  await network.close()
})

t.test('a start that is interrupted ends what runs', async t => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const init = { ...small, nodes: 3, signal: controller.signal, started: () => controller.abort(reason) }
  await t.rejects(RealNetwork.start({ env: realEnv() }, init), reason)
})

t.test('a node that cannot start is an error that says what it printed', async t => {
  const init = { ...small, replicas: 99 }
  await t.rejects(RealNetwork.start({ env: realEnv() }, init), {
    code: 'UNAVAILABLE',
    message: /has ended:[\s\S]*replicas/,
  })
})
