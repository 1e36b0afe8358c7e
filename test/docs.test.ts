/**
 * Runs what the documentation shows, and compares.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { runningNode } from './running-node.ts'
import { replayed, withoutDates } from './tidy/console-sessions.ts'
import { SESSION_PAGES } from './tidy/generated-docs.ts'
import { readPage, repositoryRoot } from './tidy/inventory.ts'

const hasCurl = (() => {
  try {
    execFileSync('curl', ['--version'])
    return true
  } catch {
    return false
  }
})()

for (const path of SESSION_PAGES) {
  t.test(`the sessions of ${path} print what it says`, { skip: !hasCurl && 'no curl' }, async t => {
    const { text } = readPage(path)
    t.match(text, /```console\n\$ /, 'it has sessions')
    const folder = t.testdir({ work: {} })
    const { url } = await runningNode(t, { data: join(folder, 'data') })
    const now = await replayed(text, { url, folder: join(folder, 'work'), repositoryRoot })
    t.equal(withoutDates(now), withoutDates(text), 'npm run docs writes what they print now')
  })
}

t.test('a session whose output has changed is seen', async t => {
  const folder = t.testdir({ work: {} })
  const init = { url: 'http://127.0.0.1:9', folder: join(folder, 'work'), repositoryRoot }
  const page = 'Text\n```console\n$ echo 127.0.0.1:5000\nold\n$ false\n$ echo "a\nb"\n```\n$ not a command\n'
  const now = await replayed(page.replace('"a\nb"', '$((1+1))'), init)
  t.equal(
    now,
    'Text\n```console\n$ echo 127.0.0.1:5000\n127.0.0.1:5000\n$ false\n$ echo $((1+1))\n2\n```\n$ not a command\n',
  )
  t.equal(withoutDates('at 2026-01-02T03:04:05.678Z, Fri, 02 Jan 2026 03:04:05 GMT'), 'at (date), (date)')
})
