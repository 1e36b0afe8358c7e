import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { json, scriptedServer } from '../client/scripted-server.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function verify(url: string) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  const code = await runCli(['verify'], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('a flipped bit on the disk is found and named', async t => {
  const data = join(t.testdir({}), 'data')
  const { url } = await runningNode(t, { data })
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  await client.put('small', 'small')
  await client.put('large', Buffer.alloc(2_500_000, 'x'))
  t.same(await verify(url), { code: 0, out: '2 files checked, 2.4 MiB read, 0 damaged\n', err: '' })
  const blobs = readdirSync(join(data, 'blobs'), { recursive: true, withFileTypes: true }).filter(entry =>
    entry.isFile(),
  )
  t.equal(blobs.length, 1)
  const [blob] = blobs
  const file = join(blob?.parentPath ?? '', blob?.name ?? '')
  const bytes = readFileSync(file)
  bytes[1_500_000] = 0
  writeFileSync(file, bytes)
  t.match(await verify(url), {
    code: 1,
    out: /^2 files checked, .* 1 damaged\n$/,
    err: /^damaged: large: .*\(CORRUPT\)\n$/,
  })
})

t.test('a check that breaks off is not called complete', async t => {
  const { origin } = await scriptedServer(t, [
    json(200, { files: 2, bytes: 2 }),
    (_seen, response) => response.writeHead(200).end('{"files":1,"bytes":1,"damaged":0,"done":false}\n'),
  ])
  t.match(await verify(origin), { code: 1, out: '', err: /ended before it was complete.*\(UNAVAILABLE\)/ })
})
