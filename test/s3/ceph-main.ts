/**
 * `npm run s3-tests -- CHECKOUT [PYTHON]`: runs Ceph's s3-tests, which somebody has fetched to the folder CHECKOUT, against a node of
 * its own, with a Python that has what their requirements.txt names. Ends with 0 when exactly those of ceph-failures.ts failed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runningNode } from '../running-node.ts'
import { FAILURES, LEFT_OUT } from './ceph-failures.ts'

const [checkout, python = 'python3'] = process.argv.slice(2)
if (checkout === undefined) throw new TypeError('npm run s3-tests -- CHECKOUT [PYTHON]')

const USERS = ['main', 'alt', 'tenant', 'iam', 'iam root', 'iam alt root']
const keyOf = (user: string) => `${user.replaceAll(' ', '-')}-key`
const secretOf = (user: string) => `${user.replaceAll(' ', '-')}-secret-0123456789`

/** The configuration that the tests read; no region has a name, as S3's first one. */
function configuration(port: number): string {
  const users = USERS.map(user => {
    const section = user.startsWith('iam') ? user : `s3 ${user}`
    const who = `display_name = ${user}\nuser_id = ${user === 'main' ? 'altered-chord' : user}\nemail = ${user.replaceAll(' ', '.')}@example.com`
    return `[${section}]\n${who}\napi_name =\ntenant = tenant\naccess_key = ${keyOf(user)}\nsecret_key = ${secretOf(user)}\n`
  })
  const fixtures =
    '[fixtures]\nbucket prefix = ceph-{random}-\niam name prefix = s3-tests-\niam path prefix = /s3-tests/\n'
  return `[DEFAULT]\nhost = 127.0.0.1\nport = ${port}\nis_secure = False\nssl_verify = False\n${fixtures}${users.join('')}`
}

const folder = await mkdtemp(join(tmpdir(), 'altered-chord-s3-tests-'))
const atEnd: (() => unknown)[] = []
try {
  const s3Key = USERS.map(user => `${keyOf(user)}:${secretOf(user)}`).join(',')
  const { node } = await runningNode({ teardown: end => atEnd.push(end) }, { s3Key, s3Port: '0' })
  const [config, report] = [join(folder, 's3tests.conf'), join(folder, 'report.xml')]
  await writeFile(config, configuration(Number(new URL(node.s3Url as string).port)))
  const without = (words: readonly string[]) => words.map(word => `not ${word}`).join(' and ')
  const files = ['test_s3.py', 'test_headers.py'].map(name => join('s3tests/functional', name))
  const args = ['-m', 'pytest', '-q', '--tb=short', '-p', 'no:cacheprovider', `--junit-xml=${report}`]
  const selected = ['-m', without(LEFT_OUT.marks), '-k', without(LEFT_OUT.names)]
  const tests = spawn(python, [...args, ...selected, ...files], {
    cwd: checkout,
    env: { ...process.env, S3TEST_CONF: config },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  await once(tests, 'close')
  const cases = (await readFile(report, 'utf8')).split('<testcase ').slice(1)
  const run = cases.map(text => ({
    name: /name="(\w+)"/.exec(text)?.[1] as string,
    failed: /<(failure|error) /.test(text),
  }))
  const failed = run.filter(({ failed }) => failed).map(({ name }) => name)
  const unexpected = failed.filter(name => FAILURES[name] === undefined)
  const mended = Object.keys(FAILURES).filter(name => !failed.includes(name))
  console.log(`${run.length} run, ${run.length - failed.length} passed, ${failed.length} failed`)
  for (const name of unexpected) console.log(`failed, and is not in the table: ${name}`)
  for (const name of mended) console.log(`in the table, and did not fail: ${name}`)
  if (run.length === 0 || unexpected.length > 0 || mended.length > 0) process.exitCode = 1
} finally {
  for (const end of atEnd.reverse()) await end()
  await rm(folder, { recursive: true, force: true })
}
