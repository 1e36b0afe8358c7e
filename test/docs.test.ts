/**
 * Runs what the documentation shows, and compares.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { comparable, replayed } from './tidy/console-sessions.ts'
import { SESSION_PAGES, sessionsNow } from './tidy/generated-docs.ts'
import { readPage, repositoryRoot } from './tidy/inventory.ts'

const hasCurl = (() => {
  try {
    execFileSync('curl', ['--version'])
    return true
  } catch {
    return false
  }
})()

// Those of the guide start nodes themselves: guide.long.test.ts.
for (const [path, nodes] of Object.entries(SESSION_PAGES).filter(([, nodes]) => nodes !== 'own')) {
  t.test(`the sessions of ${path} print what it says`, { skip: !hasCurl && 'no curl' }, async t => {
    const { text } = readPage(path)
    t.match(text, /```console\n\$ /, 'it has sessions')
    const now = await sessionsNow(text, nodes, t.testdir({}), t)
    t.equal(comparable(now), comparable(text), 'npm run docs writes what they print now')
  })
}

t.test('a session whose output has changed is seen', async t => {
  const folder = t.testdir({ work: {} })
  const init = { ports: [9], folder: join(folder, 'work'), repositoryRoot }
  const page = 'Text\n```console\n$ echo 127.0.0.1:5000\nold\n$ false\n$ echo "a\nb"\n```\n$ not a command\n'
  const now = await replayed(page.replace('"a\nb"', '$((1+1))'), init)
  t.equal(
    now,
    'Text\n```console\n$ echo 127.0.0.1:5000\n127.0.0.1:5000\n$ false\n$ echo $((1+1))\n2\n```\n$ not a command\n',
  )
  const slow = { ...init, folder: t.testdir({ work: {} }), timeoutMs: 50 }
  await t.rejects(
    replayed('```console\n$ echo a\n$ sleep 60\n```\n', slow),
    /took more than 50 ms/,
    'no half of a page',
  )
  t.equal(comparable('at 2026-01-02T03:04:05.678Z, Fri, 02 Jan 2026 03:04:05 GMT'), 'at (date), (date)')
  const receipt = (nodes: string, epoch: number) =>
    `{"etag":"\\"${epoch}.1-5891b5b5\\"","version":{"epoch":${epoch},"seq":1},"replicas":[${nodes}],"chain":["a"]}`
  t.equal(comparable(receipt('"a","b"', 7)), comparable(receipt('"b","a"', 12)), 'the ring may differ')
  t.not(comparable(receipt('', 7)), comparable(receipt('', 7).replace('5891b5b5', '00000000')))
})
