/**
 * What Prometheus sees. Requests are counted in plain arrays and turned into samples only when somebody scrapes:
 * that keeps a count far cheaper than the request it counts.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client'
import type { FileService } from '../files/file-service.ts'
import type { EventualParts } from '../ring-node/eventual-wiring.ts'
import type { RoutingSizes } from '../routing/routing.ts'
import type { UploadSlots } from './upload-slots.ts'

/** Upper bounds of the duration buckets in seconds: from a read in memory to a long upload. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60]

/**
 * How often it is measured how late the event loop is, ms. Every 10 ms, as prom-client has it, is most of what an idle node costs. The
 * figures (nodejs_eventloop_lag_min_seconds and its like) are the times between two samples, so this is in them.
 */
const LOOP_SAMPLE_MS = 100

interface EndpointCounts {
  /** Requests by status. */
  readonly byStatus: Map<number, number>
  /** Requests by the first bucket that holds their duration; the last one has no bound. */
  readonly byBucket: number[]
  seconds: number
}

type EventualStatus = ReturnType<EventualParts['node']['status']>

export interface MetricsComponents {
  readonly files: FileService
  readonly slots: UploadSlots
  /** Nodes by state. */
  readonly nodes: () => Readonly<Record<string, number>>
  /** The way of routing, and how much is known for it. */
  readonly routing: () => {
    readonly name: string
    readonly nodes: number
    readonly views: number
  } & RoutingSizes
  readonly diskRefuses: () => boolean
  /** Changes of what gossip believes of other nodes, by what is believed then; undefined where it is switched off. */
  readonly beliefs: () => Readonly<Record<string, number>> | undefined
  /** Called with each request that was answered, those of other nodes left out. */
  readonly answered?: (() => void) | undefined
  /** Undefined where files are kept by chains. */
  readonly eventual?: (() => EventualStatus) | undefined
  /** What this node has copied from others since it started. */
  readonly copied: () => { readonly records: number; readonly bytes: number }
}

export class Metrics {
  readonly registry = new Registry()
  readonly #endpoints = new Map<string, EndpointCounts>()
  readonly #answered: (() => void) | undefined

  constructor(components: MetricsComponents) {
    const { nodes, beliefs } = components
    this.#answered = components.answered
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: LOOP_SAMPLE_MS })
    for (const [name, help, read] of gaugesOf(components)) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read())
        },
      })
    }
    gaugeRouting(this.registry, components.routing)
    countCopied(this.registry, components.copied)
    if (components.eventual !== undefined) gaugeEventual(this.registry, components.eventual)
    new Gauge({
      name: 'altered_chord_nodes',
      help: 'Nodes that this node knows, itself included, by state; suspect ones are alive, too.',
      labelNames: ['state'],
      registers,
      collect() {
        for (const [state, count] of Object.entries(nodes())) this.set({ state }, count)
      },
    })
    if (beliefs() !== undefined) countBeliefs(this.registry, beliefs)
    const endpoints = this.#endpoints
    new Counter({
      name: 'altered_chord_http_requests_total',
      help: 'Requests answered, by endpoint and status.',
      labelNames: ['endpoint', 'status'],
      registers,
      collect() {
        this.reset()
        for (const [endpoint, counts] of endpoints) {
          for (const [status, count] of counts.byStatus) this.inc({ endpoint, status }, count)
        }
      },
    })
    this.registry.registerMetric(durations(endpoints))
  }

  /** What counts the answers of an endpoint. `endpoint` is a route and never a path of a user. */
  hookFor(endpoint: string): (request: FastifyRequest, reply: FastifyReply, done: () => void) => void {
    return (_request, reply, done) => {
      this.#answered?.()
      this.count(endpoint, reply.statusCode, reply.elapsedTime / 1000)
      done()
    }
  }

  count(endpoint: string, status: number, seconds: number): void {
    let counts = this.#endpoints.get(endpoint)
    if (counts === undefined) {
      counts = { byStatus: new Map(), byBucket: new Array(BUCKETS.length + 1).fill(0), seconds: 0 }
      this.#endpoints.set(endpoint, counts)
    }
    counts.byStatus.set(status, (counts.byStatus.get(status) ?? 0) + 1)
    let bucket = 0
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++
    counts.byBucket[bucket] = (counts.byBucket[bucket] ?? 0) + 1
    counts.seconds += seconds
  }
}

function gaugesOf({ files, slots, diskRefuses }: MetricsComponents): [string, string, () => number][] {
  const trash = () => files.statistics().trash
  return [
    ['altered_chord_files', 'Files that this node keeps.', () => files.statistics().files],
    ['altered_chord_file_bytes', 'Bytes of the files that this node keeps.', () => files.statistics().bytes],
    ['altered_chord_trash_versions', 'Versions in the trash of this node.', () => trash().versions],
    ['altered_chord_trash_bytes', 'Bytes of the trash of this node.', () => trash().bytes],
    [
      'altered_chord_staged_bodies',
      'Bodies received and not committed yet.',
      () => files.statistics().staged,
    ],
    ['altered_chord_uploads_receiving', 'Bodies being received.', () => slots.taken],
    ['altered_chord_uploads_waiting', 'Uploads waiting for their turn.', () => slots.waiting],
    ['altered_chord_disk_refuses', '1 while the disk refuses writes.', () => (diskRefuses() ? 1 : 0)],
  ]
}

function gaugeRouting(registry: Registry, routing: MetricsComponents['routing']): void {
  new Gauge({
    name: 'altered_chord_routing_known',
    help: 'What this node knows for routing, by the way of routing and by what it is.',
    labelNames: ['routing', 'what'],
    registers: [registry],
    collect() {
      this.reset()
      const { name, ...known } = routing()
      for (const [what, count] of Object.entries(known)) this.set({ routing: name, what }, count)
    },
  })
}

function countBeliefs(registry: Registry, beliefs: () => Readonly<Record<string, number>> | undefined): void {
  new Counter({
    name: 'altered_chord_gossip_beliefs_total',
    help: 'Changes of what this node believes of others by gossip, by what it believes then.',
    labelNames: ['belief'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [belief, count] of Object.entries(beliefs() ?? {})) this.inc({ belief }, count)
    },
  })
}

function countCopied(
  registry: Registry,
  copied: () => { readonly records: number; readonly bytes: number },
): void {
  const counters: [string, string, 'records' | 'bytes'][] = [
    [
      'altered_chord_copied_records_total',
      'Records that this node has copied from others, since ranges changed hands or it was away.',
      'records',
    ],
    ['altered_chord_copied_bytes_total', 'Bytes of their bodies that it had not got.', 'bytes'],
  ]
  for (const [name, help, what] of counters) {
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset()
        this.inc(copied()[what])
      },
    })
  }
}

function gaugeEventual(registry: Registry, status: () => EventualStatus): void {
  const gauges: [string, string, 'owed' | 'conflicts' | 'tombstones' | 'siblingsDropped'][] = [
    [
      'altered_chord_eventual_owed',
      'Records that another node does not have yet, as far as this one knows.',
      'owed',
    ],
    ['altered_chord_eventual_conflicts', 'Versions here that stand beside a newer one.', 'conflicts'],
    ['altered_chord_eventual_tombstones', 'Removed paths that this node remembers.', 'tombstones'],
    [
      'altered_chord_eventual_siblings_dropped',
      'Versions that went since the start because a path had too many.',
      'siblingsDropped',
    ],
  ]
  for (const [name, help, what] of gauges) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(status()[what])
      },
    })
  }
}

const DURATIONS = 'altered_chord_http_request_duration_seconds'

/** The histogram of durations, as the registry asks for it. prom-client's own one costs more than a small get. */
function durations(endpoints: ReadonlyMap<string, EndpointCounts>): Metric {
  const metric = {
    name: DURATIONS,
    help: 'From the header of a request to the end of its answer, by endpoint.',
    type: 'histogram',
    aggregator: 'sum',
    reset() {},
    async get() {
      return {
        ...metric,
        values: [...endpoints].flatMap(([endpoint, counts]) => samplesOf(endpoint, counts)),
      }
    },
  }
  return metric as unknown as Metric
}

function samplesOf(endpoint: string, counts: EndpointCounts) {
  let total = 0
  const buckets = counts.byBucket.map((count, i) => {
    total += count
    return { metricName: `${DURATIONS}_bucket`, labels: { endpoint, le: BUCKETS[i] ?? '+Inf' }, value: total }
  })
  return [
    ...buckets,
    { metricName: `${DURATIONS}_sum`, labels: { endpoint }, value: counts.seconds },
    { metricName: `${DURATIONS}_count`, labels: { endpoint }, value: total },
  ]
}
