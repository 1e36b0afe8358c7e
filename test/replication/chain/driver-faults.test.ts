import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { StoreError } from '../../../src/errors.ts'
import { faultOf, logOverruled, nameOf } from '../../../src/replication/chain/driver-faults.ts'
import type { MachineEvent } from '../../../src/replication/chain/machine.ts'
import { path, wholeView } from './bench.ts'

t.test('an event is named by its kinds, and nothing of its content', async t => {
  const rows: [unknown, string][] = [
    [{ kind: 'request', id: '1', request: { kind: 'get', path: path('secret') } }, 'request get'],
    [{ kind: 'message', envelope: { from: 'a', message: { kind: 'ping' } } }, 'message ping'],
    [{ kind: 'timer', timer: { kind: 'watch', viewId: 'v1', tries: 1 } }, 'timer watch'],
    [{ kind: 'found', identifiers: [] }, 'found'],
  ]
  for (const [event, name] of rows) t.equal(nameOf(event as MachineEvent), name)
})

t.test('a full disk is told from one that fails otherwise', async t => {
  const full = new StoreError('DISK_FULL', 'full')
  t.match(faultOf(full), { code: 'DISK_FULL', cause: full })
  t.match(faultOf(new Error('EIO')), { code: 'UNAVAILABLE' })
})

t.test('what was given up by force elsewhere is said', async t => {
  const env = realEnv()
  const said: object[] = []
  const log = { ...env.log, warn: (fields: object) => said.push(fields) }
  const [view, by] = [wholeView(['a'], ['a'], 'v1', 1), wholeView(['b'], ['b'], 'v2', 2)]
  logOverruled({ ...env, log }, { kind: 'overruled', view, by, records: 3 })
  t.match(said, [{ op: 'overruled', view: 'v1', by: 'v2', records: 3 }])
})
