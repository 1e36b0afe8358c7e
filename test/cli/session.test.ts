import { Writable } from 'node:stream'
import t from 'tap'
import { describeError, noteFailure, print, usageError } from '../../src/cli/session.ts'
import { StoreError } from '../../src/errors.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('a failure is said on stderr and remembered in the exit code', async t => {
  const session = scriptedSession()
  noteFailure(session, 'not stored: a', new StoreError('FILE_EXISTS', 'There is a file.'))
  t.equal(session.err(), 'not stored: a: There is a file. (FILE_EXISTS)\n')
  t.equal(session.exitCode, 1)
  t.equal(session.out(), '')
})

t.test('on a terminal a failure takes the place of the progress bar', async t => {
  const session = scriptedSession({ isTTY: true })
  noteFailure(session, 'not stored: a', new Error('gone'))
  t.equal(session.err(), '\r\u001b[Knot stored: a: gone\n')
})

t.test('errors as people read them', async t => {
  t.equal(describeError(new Error('no such file')), 'no such file')
  t.equal(describeError('odd'), 'odd')
  t.match(
    describeError(new StoreError('UNAUTHORIZED', 'No.')),
    'No. Give a right one with --token or ALTERED_CHORD_TOKEN. (UNAUTHORIZED)',
  )
  t.match(usageError('Say more.'), { exitCode: 2, message: 'Say more.' })
})

t.test('printing waits for a slow reader, and fails with it', async t => {
  const session = scriptedSession()
  let drain = () => {}
  const slow = new Writable({
    highWaterMark: 1,
    write(_chunk, _encoding, done) {
      drain = done
    },
  })
  let printed = false
  const printing = print({ ...session, stdout: slow }, 'line').then(() => {
    printed = true
  })
  await new Promise(resolve => setImmediate(resolve))
  t.notOk(printed)
  drain()
  await printing
  t.ok(printed)
  t.equal(slow.listenerCount('error'), 0, 'no listener is left behind')
  const failing = print({ ...session, stdout: slow }, 'line')
  slow.destroy(new Error('gone'))
  await t.rejects(failing, { message: 'gone' })
})
