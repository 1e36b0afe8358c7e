/**
 * One of four nodes does nothing any more, and its connections stay open (SIGSTOP): what asks every node answers or refuses soon,
 * and says which node it was.
 */
import t from 'tap'
import { Cluster } from './cluster.ts'

t.setTimeout(300_000)

/** Last word of a stream of JSON lines. */
const lastLine = (text: string) =>
  JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>

t.test('who asks all nodes while one is silent', async t => {
  const cluster = await Cluster.start({ nodes: 4 })
  t.teardown(() => cluster.close())
  const { client } = cluster.node(0)
  for (let number = 0; number < 30; number++)
    t.equal((await client.put(`kept/${number}`, `body ${number}`)).status, 201)
  const silent = cluster.node(3)
  silent.process.pause()
  t.teardown(() => silent.isRunning && silent.process.resume())

  const verified = await client.send('POST', '/verify')
  t.equal(verified.status, 200, 'a check reads what can be read')
  const report = lastLine(verified.body.toString())
  t.equal(report.done, true)
  t.ok(
    JSON.stringify(verified.body.toString()).includes(silent.address),
    'and names the one that was not there',
  )

  const overlay = await client.send('GET', '/overlay')
  t.equal(overlay.status, 200)
  t.equal((await client.list('kept/')).length, 30, 'a list is complete')
  const active = await client.send('GET', '/bootstrapServer/getActiveList')
  t.equal(active.status, 200)

  // Two of three that are left keep everything, so a third may go.
  const departing = cluster.node(2)
  const departed = await departing.client.send('POST', '/depart')
  const text = departed.body.toString()
  t.ok(departed.status === 200 || departed.status === 503, `${departed.status} ${text}`)
  if (departed.status !== 200) t.ok(text.includes(silent.address), `it names the node: ${text}`)
  t.equal((await client.list('kept/')).length, 30)
  for (let number = 0; number < 30; number++)
    t.equal((await client.send('GET', `/get/kept/${number}`)).body.toString(), `body ${number}`)

  silent.process.resume()
  t.equal((await cluster.node(1).client.put('after', 'all is well')).status, 201)
})
