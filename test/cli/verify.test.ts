import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { scriptedServer } from '../client/scripted-server.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function verify(url: string, ...flags: string[]) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  const code = await runCli(['verify', ...flags], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('a flipped bit on the disk is found and named', async t => {
  const data = join(t.testdir({}), 'data')
  const { url } = await runningNode(t, { data })
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  await client.put('small', 'small')
  await client.put('large', Buffer.alloc(2_500_000, 'x'))
  t.same(await verify(url, '--local'), {
    code: 0,
    out: '2 files checked, 2.4 MiB read, 0 damaged\n',
    err: '',
  })
  t.match(await verify(url), {
    code: 0,
    out: /^8 ranges, 2 files, 2.4 MiB read: 0 damaged, .* 0 not healed\n$/,
    err: '',
  })
  const blobs = readdirSync(join(data, 'blobs'), { recursive: true, withFileTypes: true }).filter(entry =>
    entry.isFile(),
  )
  t.equal(blobs.length, 1)
  const [blob] = blobs
  const file = join(blob?.parentPath ?? '', blob?.name ?? '')
  const bytes = readFileSync(file)
  bytes[1_500_000] = 0
  writeFileSync(file, bytes)
  t.match(await verify(url, '--local'), {
    code: 1,
    out: /^2 files checked, .* 1 damaged\n$/,
    err: /^damaged: large: .*\(CORRUPT\)\n$/,
  })
  t.match(await verify(url), {
    code: 1,
    out: /: 1 damaged, 0 under-replicated, 0 healed, 1 not healed\n$/,
    err: /^damaged: large at 127.0.0.1:\d+: .*\(CORRUPT\)\n$/,
  })
})

t.test('a check that breaks off is not called complete', async t => {
  const { origin } = await scriptedServer(t, [
    (_seen, response) => response.writeHead(200).end('{"files":1,"bytes":1,"damaged":0,"done":false}\n'),
  ])
  t.match(await verify(origin), { code: 1, out: '', err: /ended before it was complete.*\(UNAVAILABLE\)/ })
})

t.test('what was healed is named and no failure; what could not be is one', async t => {
  const count = { ranges: 3, rangesAll: 3, files: 2, bytes: 9, damaged: 1, underReplicated: 1 }
  const lines = [
    { node: 'c:1', code: 'UNAVAILABLE', message: 'Silent.' },
    { path: 'a', node: 'b:1', code: 'CORRUPT', message: 'Bad.', healed: true },
    { range: { lo: '1'.repeat(40), hi: '2'.repeat(40) }, message: 'Few.', healed: true },
    { ...count, healed: 2, unhealed: 0, done: true },
  ]
  const answer = (words: object[]) => words.map(word => `${JSON.stringify(word)}\n`).join('')
  const { origin } = await scriptedServer(t, [
    (_seen, response) => response.writeHead(200).end(answer(lines)),
    (_seen, response) =>
      response.writeHead(200).end(
        answer([
          { ...lines[2], healed: false },
          { ...lines[3], healed: 1, unhealed: 1 },
        ]),
      ),
  ])
  t.same(await verify(origin), {
    code: 0,
    out: '3 ranges, 2 files, 9 B read: 1 damaged, 1 under-replicated, 2 healed, 0 not healed\n',
    err: [
      'not checked: c:1: Silent. (UNAVAILABLE)',
      'healed: a at b:1: Bad. (CORRUPT)',
      'healed: range (11111111.. 22222222..]: Few.\n',
    ].join('\n'),
  })
  t.match(await verify(origin), {
    code: 1,
    err: 'not as it should be: range (11111111.. 22222222..]: Few.\n',
  })
})
