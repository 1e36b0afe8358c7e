/** Nodes that come back at other addresses, all of them at once: `-b` says where somebody lives whom they know. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { freePort, runNode, startNode, waitFor } from './harness.ts'

t.setTimeout(180_000)

t.test('a node that resumes finds its network by -b, and ends when that is another one', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'altered-chord-moved-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  const first = await startNode({ dataDirectory: a, port: await freePort() })
  const second = await startNode({ dataDirectory: b, port: await freePort(), boots: [first.port] })
  t.teardown(() => Promise.all([first.kill(), second.kill()]))
  const put = await fetch(`${first.url}/put/kept`, { method: 'PUT', body: 'body' })
  t.equal(put.status, 201)
  await first.stop()
  await second.stop()

  const port = await freePort()
  const [moved, follower] = await Promise.all([
    startNode({ dataDirectory: a, port }),
    startNode({ dataDirectory: b, port: await freePort(), boots: [port] }),
  ])
  t.teardown(() => Promise.all([moved.kill(), follower.kill()]))
  for (const node of [moved, follower]) {
    await waitFor(async () => (await (await fetch(`${node.url}/get/kept`)).text()) === 'body', {
      what: `the file is served at ${node.port}`,
      timeoutMs: 60_000,
    })
  }
  await moved.stop()
  await follower.stop()

  const other = await startNode({ dataDirectory: join(folder, 'other'), port: await freePort() })
  t.teardown(() => other.kill())
  const lost = await runNode({ dataDirectory: b, port: await freePort(), boots: [other.port] }, 60_000)
  t.equal(lost.code, 1)
  t.match(lost.stdout + lost.stderr, /belongs to another network than 127\.0\.0\.1:\d+/)
})
