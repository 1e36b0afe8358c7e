import fc from 'fast-check'
import t from 'tap'
import { path, record, version } from '../../../src/replication/chain/record-shapes.ts'
import { anyRecord } from './any-record.ts'

t.test('every record that there can be is one, and none with a part missing', async t => {
  fc.assert(
    fc.property(anyRecord, some => {
      // Nothing that is not there is moved.
      fc.pre(some.body !== undefined || some.intent === undefined)
      if (!record(some)) return false
      return ['path', 'position', 'version', 'history', 'historyFloor', 'outcomes'].every(
        part => !record({ ...some, [part]: undefined }),
      )
    }),
  )
  t.pass()
})

t.test('a file has what belongs to it, and a tombstone nothing', async t => {
  fc.assert(
    fc.property(anyRecord, some => {
      const half = some.body === undefined ? { written: some.history[0] ?? {} } : { written: undefined }
      return !record({ ...some, ...half })
    }),
  )
  t.pass()
})

t.test('a path is written in one way, and a version is whole numbers', async t => {
  t.ok(path('a/b'))
  for (const bad of ['', '\u0000', 1, undefined, 'x'.repeat(1025)]) t.notOk(path(bad))
  t.ok(version({ epoch: 1, seq: 0 }))
  for (const bad of [{ epoch: 2 ** 32, seq: 0 }, { epoch: 1, seq: 0.5 }, { epoch: 1 }]) t.notOk(version(bad))
})
