import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { type Client, openClient, sha256Of } from './client.ts'
import { freePort, runProgram, startNode, waitFor } from './harness.ts'
import { openNode } from './test-node.ts'

const CLEAN = { code: 0, signal: null }

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} during an upload finishes it and ends with 0`, async t => {
    const dataDirectory = t.testdir()
    const node = await startNode({ dataDirectory })
    t.teardown(() => node.kill())
    const client = openClient(node.url)
    const idle = openClient(node.url)
    t.teardown(() => Promise.all([client.close(), idle.close()]))
    await idle.send('GET', '/health')

    const body = new PassThrough()
    const reply = client.put('late', body)
    const half = Buffer.alloc(512 * 1024, 'half ')
    body.write(half)
    await waitFor(
      async () => (await idle.send('GET', '/status')).body.length > 0 && body.writableLength === 0,
      {
        what: 'the first half has left',
      },
    )
    process.kill(node.pid, signal)
    await waitFor(async () => (await idle.send('GET', '/list')).status === 503, {
      what: 'the node takes no more requests',
    })
    t.equal((await idle.send('GET', '/health')).status, 200, 'it lives')
    body.end(half)

    const { status, ...answered } = await reply
    const answeredAt = performance.now()
    t.equal(status, 201, answered.body.toString())
    t.strictSame(await node.exited, CLEAN)
    // Its limit for running requests is 10 s; with none left it has nothing to wait for.
    t.ok(performance.now() - answeredAt < 5000, 'it ends once the last request is answered')

    const again = await startNode({ dataDirectory })
    t.teardown(() => again.kill())
    const later = openClient(again.url)
    t.teardown(() => later.close())
    t.match(await later.digest('late'), { status: 200, sha256: sha256Of(Buffer.concat([half, half])) })
    t.strictSame(await again.stop(), CLEAN)
  })
}

t.test('an upload that never ends does not keep a stopping node alive', async t => {
  const { node, client } = await openNode(t, { flags: ['--shutdown-timeout', '1s'] })
  const body = new PassThrough()
  body.write('some')
  const reply = client.put('never', body).catch(error => error)
  await waitFor(() => isReceiving(client), { what: 'the upload has begun' })
  t.strictSame(await node.stop(), CLEAN, 'it ends by itself')
  t.not((await reply).status, 201, 'and the upload was not answered as done')
})

t.test('a second start on the same data directory is refused with a clear message', async t => {
  const { client, dataDirectory } = await openNode(t)
  await client.put('mine', 'first')
  const port = String(await freePort())
  const second = await runProgram(['start', '-p', port, '-b', port, '--data', dataDirectory])
  t.equal(second.code, 1, 'it ends with 1')
  t.match(second.stderr + second.stdout, /data directory|in use|another|already/i)
  t.notMatch(second.stderr + second.stdout, /^\s+at .*:\d+:\d+/m, 'no stack trace')
  t.match(await client.digest('mine'), { status: 200 }, 'the first goes on')
})

t.test('a port that somebody uses is refused with a clear message', async t => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => squatter.once('listening', resolve))
  t.teardown(() => squatter.close())
  const port = String((squatter.address() as { port: number }).port)
  const refused = await runProgram(['start', '-p', port, '-b', port, '--data', t.testdir()])
  t.equal(refused.code, 1, 'it ends with 1')
  t.match(refused.stderr + refused.stdout, new RegExp(`${port}`), 'it names the port')
  t.match(refused.stderr + refused.stdout, /use/i, 'it says why')
  t.notMatch(refused.stderr + refused.stdout, /^\s+at .*:\d+:\d+/m, 'no stack trace')
})

t.test('a restart keeps every file with its ETag and media type', async t => {
  const dataDirectory = t.testdir()
  const first = await startNode({ dataDirectory })
  t.teardown(() => first.kill())
  const client = openClient(first.url)
  const contents: [string, Buffer, string][] = [
    ['a/small', Buffer.from('small'), 'text/plain'],
    ['a/empty', Buffer.alloc(0), 'image/png'],
    ['a/日本 😀', Buffer.alloc(64 * 1024, 1), 'application/json'],
    ['a/large', Buffer.alloc(2_500_000, 2), 'application/x-nobody-knows'],
  ]
  const etags = new Map<string, unknown>()
  for (const [path, bytes, mediaType] of contents) {
    const reply = await client.put(path, bytes, { headers: { 'content-type': mediaType } })
    t.equal(reply.status, 201)
    etags.set(path, reply.json().etag)
  }
  await client.put('a/removed', 'x')
  await client.send('DELETE', '/remove/a/removed')
  await client.close()
  t.strictSame(await first.stop(), CLEAN)

  const second = await startNode({ dataDirectory, port: first.port })
  t.teardown(() => second.kill())
  const again = openClient(second.url)
  t.teardown(() => again.close())
  t.same((await again.list()).map(file => file.path).sort(), contents.map(([path]) => path).sort())
  for (const [path, bytes, mediaType] of contents) {
    const reply = await again.send('GET', `/get/${encodeURI(path)}`)
    t.equal(reply.status, 200)
    t.equal(reply.headers['content-type'], mediaType)
    t.equal(reply.headers.etag, etags.get(path))
    t.ok(reply.body.equals(bytes))
  }
  t.strictSame(await second.stop(), CLEAN)
})

async function isReceiving(client: Client): Promise<boolean> {
  const { uploads } = (await client.send('GET', '/status')).json() as { uploads: { receiving: number } }
  return uploads.receiving > 0
}
