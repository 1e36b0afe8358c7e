import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { FileService } from '../../src/files/file-service.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { UploadSlots } from '../../src/http/upload-slots.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'

t.test('buckets are cumulative and durations are summed', async t => {
  const env = realEnv()
  const storage = new MemoryStorage({ env })
  const files = new FileService(
    { replication: foundedRing(env, storage).replication, storage },
    { consistency: 'chain', fileBytesMax: 1 },
  )
  const slots = new UploadSlots({ timers: env.timers }, { uploadsMax: 1, uploadQueueMax: 1, waitMs: 1 })
  const metrics = new Metrics({
    files,
    slots,
    nodes: () => ({ alive: 2, dead: 1 }),
    routing: () => ({ name: 'kelips', nodes: 20, views: 8, groups: 4 }),
    diskRefuses: () => false,
    beliefs: () => ({ alive: 1, suspect: 2, failed: 3 }),
    copied: () => ({ records: 3, bytes: 12 }),
  })
  metrics.count('/get/*', 200, 0.0004)
  metrics.count('/get/*', 200, 0.02)
  metrics.count('/get/*', 404, 1000)
  const text = await metrics.registry.metrics()
  const bucket = (le: string) =>
    `altered_chord_http_request_duration_seconds_bucket{endpoint="/get/*",le="${le}"}`
  for (const line of [
    `${bucket('0.0005')} 1`,
    `${bucket('0.01')} 1`,
    `${bucket('0.025')} 2`,
    `${bucket('60')} 2`,
    `${bucket('+Inf')} 3`,
    'altered_chord_http_request_duration_seconds_sum{endpoint="/get/*"} 1000.0204',
    'altered_chord_http_requests_total{endpoint="/get/*",status="200"} 2',
    'altered_chord_uploads_receiving 0',
    'altered_chord_nodes{state="alive"} 2',
    'altered_chord_nodes{state="dead"} 1',
    'altered_chord_routing_known{routing="kelips",what="groups"} 4',
    'altered_chord_disk_refuses 0',
    'altered_chord_gossip_beliefs_total{belief="suspect"} 2',
    'altered_chord_copied_records_total 3',
    'altered_chord_copied_bytes_total 12',
  ]) {
    t.ok(text.includes(`${line}\n`), line)
  }
  t.equal(
    await metrics.registry.metrics().then(again => again.match(/status="200"} (\d+)/)?.[1]),
    '2',
    'twice read is not twice counted',
  )
  const loopSample = () =>
    metrics.registry
      .metrics()
      .then(later => Number(later.match(/^nodejs_eventloop_lag_min_seconds (\S+)/m)?.[1]))
  // Until there is a sample, prom-client gives the largest number that its histogram holds; each look begins anew.
  let sampled = await loopSample()
  while (sampled > 1e9) {
    await new Promise(resolve => setTimeout(resolve, 300))
    sampled = await loopSample()
  }
  t.ok(sampled > 0.09, `an idle node looks at its event loop every ${sampled} s, and no more often`)
})
