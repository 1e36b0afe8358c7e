import t from 'tap'
import { vitalsIn } from '../../src/calls/vitals.ts'

const said = { version: '1', uptimeSeconds: 1, files: 2, bytes: 3, memoryBytes: 4, requests: 5 }

t.test('what another node says of itself is taken as what it should be, or not at all', async t => {
  const disk = { freeBytes: 6, totalBytes: 7 }
  t.same(vitalsIn({ ...said, disk, more: 'unknown' }), { ...said, disk })
  t.same(vitalsIn({ ...said, disk: { freeBytes: 'all' } }), said)
  for (const wrong of [undefined, null, 7, { ...said, files: -1 }, { ...said, requests: 'many' }])
    t.equal(vitalsIn(wrong), undefined)
  t.equal(vitalsIn({ ...said, version: 'x'.repeat(65) }), undefined)
  t.equal(vitalsIn({ ...said, bytes: Number.NaN }), undefined)
})
