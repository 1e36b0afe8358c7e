import t from 'tap'
import { etagOf } from '../../src/storage/record.ts'

t.test('an ETag names the version and the bytes', async t => {
  const sha256 = 'abcdef0123'.repeat(7).slice(0, 64)
  t.equal(etagOf({ version: { epoch: 3, seq: 14 }, body: { sha256 } }), '"3.14-abcdef01"')
  const etags = [
    etagOf({ version: { epoch: 1, seq: 11 }, body: { sha256 } }),
    etagOf({ version: { epoch: 11, seq: 1 }, body: { sha256 } }),
    etagOf({ version: { epoch: 1, seq: 11 }, body: { sha256: '0'.repeat(64) } }),
  ]
  t.equal(new Set(etags).size, 3)
})
