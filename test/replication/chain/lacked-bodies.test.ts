import t from 'tap'
import { LackedBodies } from '../../../src/replication/chain/lacked-bodies.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { node } from './bench.ts'

const [b1, b2] = ['b1', 'b2'] as BlobId[] as [BlobId, BlobId]

t.test('what a node lacks is known of that node and that body, until the body is there', async t => {
  const lacked = new LackedBodies()
  lacked.lacks(node('n1'), b1)
  lacked.lacks(node('n2'), b1)
  t.ok(lacked.isLackedBy(node('n1'), b1))
  t.ok(lacked.isLackedBy(node('n2'), b1))
  t.notOk(lacked.isLackedBy(node('n3'), b1))
  t.notOk(lacked.isLackedBy(node('n1'), b2))
  lacked.forget(b1)
  t.notOk(lacked.isLackedBy(node('n1'), b1))
})

t.test('what nothing names any more is forgotten, and that is told once', async t => {
  const lacked = new LackedBodies()
  lacked.lacks(node('n1'), b1)
  lacked.lacks(node('n1'), b2)
  t.notOk(lacked.forgetUnneeded(() => true))
  t.ok(lacked.forgetUnneeded(id => id === b2))
  t.notOk(lacked.isLackedBy(node('n1'), b1))
  t.ok(lacked.isLackedBy(node('n1'), b2))
  t.notOk(lacked.forgetUnneeded(id => id === b2))
})

t.test('of more bodies than there is room for nothing is noted', async t => {
  const lacked = new LackedBodies()
  for (let index = 0; index < 65_537; index++) lacked.lacks(node('n1'), `b${index}` as BlobId)
  t.ok(lacked.isLackedBy(node('n1'), 'b65535' as BlobId))
  t.notOk(lacked.isLackedBy(node('n1'), 'b65536' as BlobId))
})
