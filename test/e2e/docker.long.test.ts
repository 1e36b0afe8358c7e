/**
 * Builds the image and runs docker-compose.yml with a real container engine, where one answers that can reach what a build
 * needs. The engine chooses the ports and the names are the test's own, so that it disturbs no network that runs here.
 *
 * DOCKER_BUILD_FLAGS are further flags of `docker build`, for machines that reach package registries in their own way.
 */
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { stringify } from 'yaml'
import { openClient } from './client.ts'
import { CLUSTER_TIMEOUT_MS } from './cluster.ts'
import { readComposeFile } from './compose-file.ts'
import { repositoryRoot, waitFor } from './harness.ts'

const run = promisify(execFile)

/** A build fetches a base image and packages, ms. */
const BUILD_TIMEOUT_MS = 900_000

/** How builds say that they cannot fetch the base image or the packages. */
const CANNOT_FETCH =
  /ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|CERT|failed to resolve|dial tcp|no such host|TLS handshake|pull access/

function answers(program: string, ...programArguments: string[]): boolean {
  try {
    execFileSync(program, programArguments, { stdio: 'ignore', timeout: 30_000 })
    return true
  } catch {
    return false
  }
}

/** The words that begin a compose command, of either generation. */
const COMPOSE = [['docker', 'compose'], ['docker-compose']].find(([program, ...rest]) =>
  answers(program as string, ...rest, 'version'),
)
const skip = !answers('docker', 'info')
  ? 'no container engine answers (docker info)'
  : COMPOSE === undefined && 'no docker compose'

t.test('docker compose runs three nodes that stop with 0 and keep their files', { skip }, async t => {
  const id = `altered-chord-test-${randomBytes(4).toString('hex')}`
  const flags = (process.env.DOCKER_BUILD_FLAGS ?? '').split(' ').filter(Boolean)
  try {
    await run('docker', ['build', ...flags, '-t', id, repositoryRoot], { timeout: BUILD_TIMEOUT_MS })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    if (!CANNOT_FETCH.test(`${stdout}${stderr}`)) throw error
    t.comment('this engine reaches no registry, of images or of packages; nothing was tried')
    return
  }
  t.teardown(() => run('docker', ['image', 'rm', '-f', id]))

  const { services, volumes } = readComposeFile()
  const own = Object.entries(services).map(([name, { build, ports, ...service }]) => {
    const onAnyPort = ports.map(port => port.replace(/:\d+:/, '::'))
    return [name, { ...service, image: id, ports: onAnyPort }]
  })
  const file = join(t.testdir({}), 'compose.yml')
  await writeFile(file, stringify({ services: Object.fromEntries(own), volumes }))
  const compose = async (...words: string[]) => {
    const [program = '', ...rest] = [...(COMPOSE ?? []), '-p', id, '-f', file, ...words]
    return (await run(program, rest, { timeout: CLUSTER_TIMEOUT_MS })).stdout.trim()
  }
  t.teardown(() => compose('down', '--volumes', '--timeout', '0'))
  const clientOf = async (name: string) => {
    const address = await compose('port', name, String(services[name]?.environment.PORT))
    const client = openClient(`http://${address}`)
    t.teardown(() => client.close())
    const ready = async () => (await client.send('GET', '/ready').catch(() => undefined))?.status === 200
    await waitFor(ready, { what: `${name} is ready`, timeoutMs: CLUSTER_TIMEOUT_MS, pauseMs: 200 })
    return client
  }
  const exitCodeOf = async (name: string) => {
    const container = await compose('ps', '-a', '-q', name).catch(() => compose('ps', '-q', name))
    return (await run('docker', ['inspect', '-f', '{{.State.ExitCode}}', container])).stdout.trim()
  }

  await compose('up', '-d')
  const [node1, node2, node3] = [await clientOf('node1'), await clientOf('node2'), await clientOf('node3')]
  t.equal((await node1.put('a/b.txt', 'first')).status, 201)
  t.equal((await node2.send('GET', '/get/a/b.txt')).body.toString(), 'first')
  t.equal((await node3.send('GET', '/copy/a%2Fb.txt/copy.txt')).status, 201)

  await compose('stop', 'node2')
  t.equal(await exitCodeOf('node2'), '0')
  t.equal((await node3.send('GET', '/get/copy.txt')).body.toString(), 'first')
  t.equal((await node1.put('meanwhile.txt', 'second')).status, 201)
  await compose('start', 'node2')
  t.equal((await (await clientOf('node2')).send('GET', '/get/meanwhile.txt')).body.toString(), 'second')

  await compose('stop')
  for (const name of Object.keys(services)) t.equal(await exitCodeOf(name), '0', `${name} ended by itself`)
  for (const name of ['node3', 'node1', 'node2']) await compose('start', name)
  for (const name of Object.keys(services))
    t.equal((await (await clientOf(name)).send('GET', '/get/meanwhile.txt')).body.toString(), 'second')
  const health = async () => {
    const container = await compose('ps', '-q', 'node1')
    return (await run('docker', ['inspect', '-f', '{{.State.Health.Status}}', container])).stdout.trim()
  }
  await waitFor(async () => (await health()) === 'healthy', {
    what: 'the engine finds it healthy',
    timeoutMs: CLUSTER_TIMEOUT_MS,
    pauseMs: 500,
  })
})
