/**
 * Holds the Dockerfile, .dockerignore and docker-compose.yml to what they promise, without a container engine.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEFAULT_LIMITS } from '../../src/config.ts'
import { parseQuantity } from '../../src/quantity.ts'
import { readNodeConfig } from '../../src/read-config.ts'
import { SETTINGS } from '../../src/settings.ts'
import { composeNodes, readComposeFile, readImage } from '../e2e/compose-file.ts'
import { repositoryRoot } from '../e2e/harness.ts'

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8')
const image = readImage()
const restOf = (instruction: string) =>
  image.filter(line => line.instruction === instruction).map(({ rest }) => rest)

/** `docker stop` kills after this long, ms, unless told otherwise. */
const STOP_GRACE_MS = 10_000

t.test('the image is pinned, and its node is not root', async t => {
  const base = /^ARG BASE=(.*)$/m.exec(read('Dockerfile'))?.[1]
  t.match(base, /^node:\d+-\w+-slim$/, 'a major version on a named Debian')
  t.same(restOf('USER'), ['node'])
  t.same(restOf('CMD'), ['["node", "start.js"]'])
  t.match(restOf('HEALTHCHECK'), [/CMD \["node", "deploy\/health-check.js"\]$/])
  t.notMatch(read('Dockerfile'), /INSECURE=/, 'an open endpoint is nothing that an image decides')
})

t.test('what the Dockerfile copies is there, and .dockerignore lets it through', async t => {
  const allowed = read('.dockerignore')
    .split('\n')
    .filter(line => line.startsWith('!'))
    .map(line => line.slice(1))
  const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(match =>
    (match[1] as string).split(' '),
  )
  t.ok(copied.length > 5)
  for (const path of copied) {
    t.ok(existsSync(join(repositoryRoot, path)), path)
    t.ok(allowed.includes(path), `.dockerignore lets ${path} through`)
  }
  t.same(
    allowed.filter(path => !copied.includes(path)),
    [],
    'nothing else is sent to a build',
  )
})

t.test('the compose file starts three nodes of one network, for this machine alone', async t => {
  const nodes = composeNodes()
  const { services } = readComposeFile()
  t.same(
    nodes.map(({ port }) => port),
    [5001, 5002, 5003],
  )
  const variables = new Set<string>(Object.values(SETTINGS).map(({ variable }) => variable))
  for (const { name, port, environment } of nodes) {
    const service = services[name]
    t.same(service?.ports, [`127.0.0.1:${port}:${port}`], 'published on loopback only')
    t.same(service?.volumes, [`${name}:/data`])
    t.equal(service?.restart, 'on-failure')
    for (const variable of Object.keys(environment).filter(variable => variable.startsWith('ALTERED')))
      t.ok(variables.has(variable), variable)
    const config = readNodeConfig({}, environment)
    t.match(config, { host: '0.0.0.0', port, advertise: `${name}:${port}`, dataDirectory: '/data' })
    t.same(
      config.boots,
      nodes.filter(node => node.name !== name).map(node => `${node.name}:${node.port}`),
    )
    t.equal(config.foundsWhenNoneHas, name === 'node1', 'exactly one founds')
    const grace = parseQuantity(service?.stop_grace_period ?? '', 'ms') ?? 0
    t.ok(config.limits.shutdownTimeoutMs < Math.min(grace, STOP_GRACE_MS), 'a node ends before it is killed')
    t.ok(config.limits.shutdownTimeoutMs < DEFAULT_LIMITS.shutdownTimeoutMs)
  }
})

t.test('the lines for a real network make one', async t => {
  const text = read('docker-compose.yml')
  const real = text.replace(/^ *ALTERED_CHORD_INSECURE.*\n/m, '').replace(/^( *)# (ALTERED_CHORD_)/gm, '$1$2')
  const names = [...real.matchAll(/^ {2}(ALTERED_CHORD_\w+): \$\{(\w+):\?\}$/gm)].map(match => match.slice(1))
  t.same(names, [
    ['ALTERED_CHORD_SECRET', 'ALTERED_CHORD_SECRET'],
    ['ALTERED_CHORD_TOKEN', 'ALTERED_CHORD_TOKEN'],
  ])
  const { ALTERED_CHORD_INSECURE, ...rest } = composeNodes()[0]?.environment ?? {}
  t.equal(ALTERED_CHORD_INSECURE, 'true')
  t.throws(() => readNodeConfig({}, rest), /add --secret and --token/, 'without them nothing starts')
  const secrets = Object.fromEntries(names.map(([name]) => [name, 's'.repeat(48)]))
  t.match(readNodeConfig({}, { ...rest, ...secrets }), {
    secret: /^s{48}$/,
    tokens: { readWrite: /^s{48}$/ },
  })
})
