/**
 * The operator's last resort: two of three nodes have lost their disks, and what the third one has is brought back.
 */
import t from 'tap'
import { Cluster } from './cluster.ts'
import { runProgram, waitFor } from './harness.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(1_200_000)

t.test('one of three disks is left, and the network goes on from it', async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  const recover = (...flags: string[]) =>
    runProgram(['recover', '--node', cluster.node(0).process.url, ...flags], { timeoutMs: 300_000 })
  for (let index = 0; index < 12; index++)
    await cluster.node(index % 3).client.put(`file/${index}`, `bytes ${index}`)
  await cluster.node(1).client.put('large', Buffer.alloc(1_500_000, 'x'))
  t.match(
    await recover('--force'),
    { code: 0, stdout: 'no range is lost\n' },
    'a network that is well is left alone',
  )

  await cluster.kill(1)
  await cluster.kill(2)
  t.equal((await cluster.node(0).client.put('file/0', 'z')).status, 503, 'nobody can decide')

  const asked = await recover()
  t.match(asked, { code: 0, stderr: /Nothing was changed/ })
  t.match(
    asked.stdout,
    `ranges are lost while these do not answer: ${cluster.node(1).address}, ${cluster.node(2).address}`,
  )
  t.match(asked.stdout, `${cluster.node(0).address} has their newest known state`)
  t.equal((await cluster.node(0).client.put('file/0', 'z')).status, 503, 'and indeed nothing was')
  const wrong = await cluster.node(0).client.send('POST', '/recover', {
    body: '{"force":"0000000000000000"}',
    headers: { 'content-type': 'application/json' },
  })
  t.equal(wrong.status, 412, 'another plan is not confirmed')

  const forced = await recover('--force')
  t.match(forced, { code: 0, stdout: /[1-9]\d* ranges recovered by force\n$/ }, forced.stderr)
  await waitFor(
    async () => (await cluster.node(0).client.put('alone', 'x', { query: '?overwrite=true' })).status < 300,
    {
      what: 'the survivor takes writes',
      timeoutMs: 120_000,
    },
  )
  for (let index = 0; index < 12; index++) {
    const reply = await cluster.node(0).client.send('GET', `/get/file/${index}`)
    t.equal(reply.body.toString(), `bytes ${index}`)
  }
  const status = (await cluster.node(0).client.send('GET', '/status')).json() as { recoveries: unknown[] }
  t.ok(status.recoveries.length > 0, 'it is shown that force was used')
  t.match(cluster.output(), 'recovered by force', 'and in the log')

  await t.test('new disks at the same addresses get everything', async t => {
    await cluster.restartWiped(1)
    await cluster.restartWiped(2)
    await cluster.settled()
    t.equal((await cluster.node(2).client.put('file/0', 'z')).status, 409)
    t.equal((await cluster.node(1).client.put('again', 'x')).status, 201)
    t.equal((await cluster.node(2).client.digest('large')).size, 1_500_000)
    const overlay = (await cluster.node(2).client.send('GET', '/overlay')).json() as { recoveries: unknown }
    t.ok(Array.isArray(overlay.recoveries))
    const verified = await runProgram(['verify', '--node', cluster.node(1).process.url], {
      timeoutMs: 300_000,
    })
    t.equal(verified.code, 0, verified.stderr)
  })
})

t.test('nodes that were given up and come back after all find their views superseded', async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  await cluster.node(0).client.put('kept', 'before')
  await cluster.kill(1)
  await cluster.kill(2)
  const forced = await runProgram(['recover', '--force', '--node', cluster.node(0).process.url], {
    timeoutMs: 300_000,
  })
  t.equal(forced.code, 0, forced.stderr)
  const isNew = async () =>
    (await cluster.node(0).client.put('kept', 'after', { query: '?overwrite=true' })).status < 300
  await waitFor(isNew, { what: 'the survivor takes writes', timeoutMs: 120_000 })
  await cluster.restart(1)
  await cluster.restart(2)
  for (const index of [1, 2, 0]) {
    const { client } = cluster.node(index)
    const answer = async () => (await client.send('GET', '/get/kept')).body.toString()
    t.not(await answer(), 'before', 'the old lineage does not answer any more')
    await waitFor(async () => (await answer()) === 'after', {
      what: 'the node answers what the survivor has',
      timeoutMs: 120_000,
    })
    const { recoveries } = (await client.send('GET', '/status')).json() as { recoveries: unknown[] }
    t.ok(recoveries.length > 0, 'every node knows what happened')
  }
})

t.test('nodes that were only cut off learn what was recovered without them, and need no restart', async t => {
  const cluster = await Cluster.start({ nodes: 3, linked: true })
  t.teardown(() => cluster.close())
  const [survivor, ...others] = cluster.nodes.map(({ address }) => address) as [string, string, string]
  for (const other of others) {
    cluster.links.cut(survivor, other, 'refuse')
    cluster.links.cut(other, survivor, 'refuse')
  }
  const forced = await runProgram(['recover', '--force', '--node', cluster.node(0).process.url], {
    timeoutMs: 300_000,
  })
  t.equal(forced.code, 0, forced.stderr)
  t.match(forced.stdout, /[1-9]\d* ranges recovered by force/)
  cluster.links.restore()
  for (const { client, name } of cluster.nodes) {
    const knows = async () => {
      // Requests are what nodes meet by.
      await client.put('traffic', name, { query: '?overwrite=true' })
      const { recoveries } = (await client.send('GET', '/status')).json() as { recoveries: unknown[] }
      return recoveries.length > 0
    }
    await waitFor(knows, { what: `${name} knows what happened`, timeoutMs: 120_000, pauseMs: 200 })
  }
  await cluster.settled()
  for (const { client, name } of cluster.nodes) {
    t.equal((await client.put('after', name, { query: '?overwrite=true' })).status < 300, true, name)
    for (const each of cluster.nodes)
      t.equal((await each.client.send('GET', '/get/after')).body.toString(), name, `${name} at ${each.name}`)
  }
})
