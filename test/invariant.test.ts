import t from 'tap'
import { StoreError } from '../src/errors.ts'
import { assert, InvariantError, isDefect, logDefect, raise } from '../src/invariant.ts'
import { VERSION } from '../src/version.ts'

t.test('an assertion throws what it says, and what about', async t => {
  assert(true, 'fine')
  t.throws(() => assert(false, 'numbers grow'), { name: 'InvariantError', message: 'numbers grow' })
  t.throws(() => assert(undefined, 'numbers grow', '5-x'), { message: 'numbers grow (5-x)' })
})

t.test('a program that is wrong is told from one that is refused', async t => {
  for (const defect of [new InvariantError('x'), new TypeError('x'), new ReferenceError('x')])
    t.ok(isDefect(defect), defect.name)
  for (const other of [new StoreError('DISK_FULL', 'x'), new Error('EIO'), undefined])
    t.notOk(isDefect(other))
})

t.test('the log entry has all that a report needs', async t => {
  const entries: object[] = []
  const error = (fields: object, message: string) => entries.push({ ...fields, message })
  const log = { debug() {}, info() {}, warn() {}, error }
  const broken = new InvariantError('numbers grow')
  logDefect({ log }, { error: broken, event: 'message write' })
  t.match(entries, [{ op: 'defect', event: 'message write', version: VERSION, node: process.version }])
  t.match(entries, [{ err: broken, message: /a defect of this program ends this node/ }])
})

t.test('what is raised is caught by nobody', async t => {
  const thrown = new Promise(resolve => {
    process.setUncaughtExceptionCaptureCallback(resolve)
  })
  t.teardown(() => process.setUncaughtExceptionCaptureCallback(null))
  const broken = new InvariantError('numbers grow')
  raise(broken)
  t.equal(await thrown, broken)
})
