/**
 * One of five nodes sends the head of each answer and nothing more, and says all the while that it is there: what asks every node
 * waits for it once, answers or refuses, and says which node it was; and when it goes on, everything does.
 */
import t from 'tap'
import { Cluster } from './cluster.ts'
import { waitFor } from './harness.ts'

t.setTimeout(600_000)

const PRELOAD = new URL('./hang-preload.js', import.meta.url).href

for (const consistency of ['chain', 'eventual'])
  t.test(`who asks all nodes while one hangs, with ${consistency} consistency`, async t => {
    const flags = consistency === 'eventual' ? ['--consistency', 'eventual'] : []
    const cluster = await Cluster.start({ nodes: 5, nodeFlags: ['--import', PRELOAD], flags })
    t.teardown(() => cluster.close())
    const { client } = cluster.node(0)
    for (let number = 0; number < 30; number++)
      t.equal((await client.put(`kept/${number}`, `body ${number}`)).status, 201)
    await waitFor(async () => (await client.send('GET', '/list')).status === 200, { what: 'a whole list' })
    const hanging = cluster.node(4)
    process.kill(hanging.process.pid, 'SIGUSR2')
    // Long enough for the patience with every other silence: of a node that hangs nobody waits for that.
    const asks = Array.from({ length: 12 }, () => client.send('GET', '/list'))
    for (const list of await Promise.all(asks)) {
      t.equal(list.status, 503, 'a list that cannot be whole is refused')
      t.match(list.json(), { error: { code: 'UNAVAILABLE', missing: [hanging.address] } })
    }
    const overlay = await client.send('GET', '/overlay')
    t.equal(overlay.status, 200)
    const verified = await client.send('POST', '/verify')
    t.equal(verified.status, 200, 'a check reads what can be read')
    t.ok(verified.body.toString().includes(hanging.address), 'and names the one that does not answer')
    // Nobody takes its place, so the check waits for no repair of its ranges.
    t.match(verified.body.toString(), /"done":true/)
    t.equal((await client.put('kept/more', 'x')).status, 201, 'writes go on')

    process.kill(hanging.process.pid, 'SIGUSR2')
    await waitFor(async () => (await client.send('GET', '/list')).status === 200, {
      what: 'a whole list once the node goes on',
      timeoutMs: 60_000,
    })
    t.equal((await client.list('kept/')).length, 31)
  })

t.test('a node that stands still in the middle of an answer is gone round', async t => {
  const cluster = await Cluster.start({
    nodes: 5,
    nodeFlags: ['--import', PRELOAD],
    environments: { 4: { TEST_HANG: 'stop' } },
  })
  t.teardown(() => cluster.close())
  const { client } = cluster.node(0)
  for (let number = 0; number < 30; number++) await client.put(`kept/${number}`, `body ${number}`)
  const { process: silent } = cluster.node(4)
  t.teardown(() => silent.resume())
  process.kill(silent.pid, 'SIGUSR2')
  await waitFor(async () => (await client.send('GET', '/list')).status === 200, { what: 'a whole list' })
  t.equal((await client.list('kept/')).length, 30)
})
