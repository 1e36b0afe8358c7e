/**
 * Holds the Kubernetes manifest to what the program and the image do, and to the API's own schemas where the program that
 * knows them is installed (kubernetes-validate, from PyPI).
 */
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { parseQuantity } from '../../src/quantity.ts'
import { readNodeConfig } from '../../src/read-config.ts'
import { composeNodes, readImage } from '../e2e/compose-file.ts'
import { repositoryRoot } from '../e2e/harness.ts'

const run = promisify(execFile)
const file = join(repositoryRoot, 'deploy/kubernetes.yaml')
const text = readFileSync(file, 'utf8')

interface Variable {
  readonly name: string
  readonly value?: string
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string }
  readonly exec?: { readonly command: readonly string[] }
}

interface Pod {
  readonly enableServiceLinks: boolean
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number }
  readonly containers: readonly {
    readonly env: readonly Variable[]
    readonly startupProbe: Probe
    readonly livenessProbe: Probe
    readonly readinessProbe: Probe
    readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  }[]
}

interface Resource {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly serviceName: string
    readonly replicas: number
    readonly podManagementPolicy: string
    readonly clusterIP?: string
    readonly publishNotReadyAddresses?: boolean
    readonly selector: unknown
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: Pod }
    readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[]
  }
}

const resources = parseAllDocuments(text).map(document => document.toJS() as Resource)
const one = (kind: string, name: string) =>
  resources.find(resource => resource.kind === kind && resource.metadata.name === name) as Resource

t.test('the pods are nodes of one network that find each other', async t => {
  const { spec, metadata } = one('StatefulSet', 'altered-chord')
  const nodes = one('Service', spec.serviceName)
  t.match(nodes.spec, { clusterIP: 'None', publishNotReadyAddresses: true }, 'found before they are ready')
  t.equal(spec.podManagementPolicy, 'Parallel', 'a network begins when all are up')
  for (const { kind, spec: other } of resources)
    if (kind === 'Service') t.same(other.selector, spec.template.metadata.labels)
  const pod = spec.template.spec
  t.equal(pod.enableServiceLinks, false, 'no ALTERED_CHORD_PORT=tcp://… from the Service of that name')
  const ofImage = composeNodes()[0]?.environment ?? {}
  const { ALTERED_CHORD_INSECURE, PEERS, SELF_URL, PORT, ...image } = ofImage
  const secrets = t.testdir({ secret: `${'s'.repeat(48)}\n`, token: `${'t'.repeat(48)}\n` })
  const founders: string[] = []
  for (let ordinal = 0; ordinal < spec.replicas + 1; ordinal++) {
    const name = `${metadata.name}-${ordinal}`
    const written = pod.containers[0]?.env.flatMap(({ name: key, value }) =>
      value === undefined ? [] : [[key, value.replace('$(POD_NAME)', name)] as const],
    )
    const here = Object.fromEntries(
      (written ?? []).map(([key, value]) => [key, value.replace(/^.*\/(secret|token)$/, `${secrets}/$1`)]),
    )
    const config = readNodeConfig({}, { ...image, ...here })
    t.equal(config.advertise, `${name}.${spec.serviceName}:5000`)
    t.equal(config.boots.length, ordinal < spec.replicas ? spec.replicas - 1 : spec.replicas)
    t.match(config, { secret: 's'.repeat(48), tokens: { readWrite: 't'.repeat(48) } })
    if (config.foundsWhenNoneHas) founders.push(name)
  }
  t.same(founders, ['altered-chord-0'], 'one of them founds, however many there are')
})

t.test('the pods are probed, stopped and shut in as the image wants it', async t => {
  const { spec } = one('StatefulSet', 'altered-chord')
  const pod = spec.template.spec
  const [container] = pod.containers
  t.match(container?.livenessProbe, { httpGet: { path: '/health' } })
  t.match(container?.startupProbe, { httpGet: { path: '/health' } })
  t.same(container?.readinessProbe.exec?.command, ['node', 'deploy/health-check.js', '/ready'])
  t.match(pod.securityContext, { runAsNonRoot: true, runAsUser: 1000 })
  const waitMs = Number(container?.lifecycle.preStop.exec.command[1]) * 1000
  const shutdown = composeNodes()[0]?.environment.ALTERED_CHORD_SHUTDOWN_TIMEOUT ?? ''
  const neededMs = waitMs + (parseQuantity(shutdown, 'ms') ?? Number.POSITIVE_INFINITY)
  t.ok(neededMs < pod.terminationGracePeriodSeconds * 1000, 'a node ends before it is killed')
  const volume = readImage().find(({ instruction }) => instruction === 'VOLUME')?.rest
  const claim = spec.volumeClaimTemplates[0]?.metadata.name
  t.match(
    container?.volumeMounts.find(({ name }) => name === claim),
    { mountPath: volume },
    'the data is on the claim',
  )
})

const validates = (() => {
  try {
    execFileSync('kubernetes-validate', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

t.test(
  "the manifest keeps the API's schemas",
  { skip: !validates && 'no kubernetes-validate (pip install kubernetes-validate)' },
  async t => {
    const { stdout, stderr } = await run('kubernetes-validate', ['--strict', file])
    t.equal(`${stdout}${stderr}`.match(/ passed for resource /g)?.length, resources.length)
    const wrong = join(t.testdir({}), 'wrong.yaml')
    await writeFile(wrong, text.replace('failureThreshold', 'failureTreshold'))
    const refused = await run('kubernetes-validate', ['--strict', wrong]).catch((error: unknown) => error)
    t.match(refused, { stdout: /failureTreshold/ }, 'a misspelt field is seen')
  },
)
