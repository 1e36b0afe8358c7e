/**
 * Runs what the operator's guide shows, with the nodes that it starts, kills and starts again, and compares.
 */
import { execFileSync } from 'node:child_process'
import t from 'tap'
import { comparable } from './tidy/console-sessions.ts'
import { SESSION_PAGES, sessionsNow } from './tidy/generated-docs.ts'
import { readPage } from './tidy/inventory.ts'

const missing = ['bash', 'curl', 'openssl'].filter(program => {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return false
  } catch {
    return true
  }
})

for (const [path, nodes] of Object.entries(SESSION_PAGES).filter(([, nodes]) => nodes === 'own')) {
  const skip = missing.length > 0 && `no ${missing.join(', ')}`
  t.test(`the sessions of ${path} print what it says`, { skip }, async t => {
    const { text } = readPage(path)
    t.match(text, /```console\n\$ /, 'it has sessions')
    const now = await sessionsNow(text, nodes, t.testdir({}), t)
    t.equal(comparable(now), comparable(text), 'npm run docs writes what they print now')
  })
}
