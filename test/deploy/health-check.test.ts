import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cleanEnvironment, freePort, repositoryRoot } from '../e2e/harness.ts'
import { runningNode } from '../running-node.ts'

/** What the health check says, and its exit code. */
function check(
  environment: Record<string, string>,
  ...path: string[]
): Promise<[code: number, said: string]> {
  return new Promise((resolve, reject) => {
    const file = join(repositoryRoot, 'deploy/health-check.js')
    const env = cleanEnvironment(environment)
    execFile(process.execPath, [file, ...path], { env }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve([Number(error?.code ?? 0), `${stdout}${stderr}`])
    })
  })
}

t.test('the health check asks the node that the same settings start', async t => {
  const { url } = await runningNode(t)
  const { port } = new URL(url)
  t.same(await check({ PORT: port }), [0, '/health 200\n'])
  t.same(await check({ PORT: '9', ALTERED_CHORD_PORT: port, ALTERED_CHORD_HOST: '0.0.0.0' }, '/ready'), [
    0,
    '/ready 200\n',
  ])
  t.same(await check({ PORT: port }, '/nothing'), [1, '/nothing 404\n'])
})

t.test('nobody there is unhealthy, and says why', async t => {
  const [code, said] = await check({ PORT: String(await freePort()) })
  t.equal(code, 1)
  t.match(said, /^\/health .*ECONNREFUSED/)
})

t.test('a node with tokens is ready for whoever has one', async t => {
  const [token, readToken] = ['t'.repeat(16), 'r'.repeat(16)]
  const { url } = await runningNode(t, { token, readToken })
  const { port: PORT } = new URL(url)
  const file = join(t.testdir({}), 'token')
  await writeFile(file, `${readToken}\n`)
  t.same(await check({ PORT }), [0, '/health 200\n'])
  t.same(await check({ PORT }, '/ready'), [1, '/ready 401\n'])
  t.same(await check({ PORT, ALTERED_CHORD_TOKEN: token }, '/ready'), [0, '/ready 200\n'])
  t.same(await check({ PORT, ALTERED_CHORD_READ_TOKEN_FILE: file }, '/ready'), [0, '/ready 200\n'])
})
