import t from 'tap'
import { openNodeLog } from '../../src/cli/node-log.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('JSON lines in a pipe, with fields, level and time', async t => {
  const session = scriptedSession()
  const log = openNodeLog(session.stderr, 'info')
  log.info({ op: 'put', path: 'a' }, 'stored')
  log.debug({}, 'not at this level')
  log.error({ err: new Error('broken') }, 'failed')
  const lines = session.err().trimEnd().split('\n')
  t.equal(lines.length, 2)
  t.match(JSON.parse(lines[0] as string), {
    level: 30,
    op: 'put',
    path: 'a',
    msg: 'stored',
    time: /^\d{4}-.*Z$/,
  })
  t.match(JSON.parse(lines[1] as string), { level: 50, err: { message: 'broken', stack: /Error: broken/ } })
})

t.test('lines for people on a terminal', async t => {
  const session = scriptedSession({ isTTY: true })
  openNodeLog(session.stderr, 'warn').warn({ op: 'stop' }, 'cut off')
  await new Promise(resolve => setImmediate(resolve))
  t.match(session.err(), /WARN.*cut off/)
  t.notMatch(session.err(), /^\{/)
})

t.test('silence', async t => {
  const session = scriptedSession()
  openNodeLog(session.stderr, 'silent').error({}, 'unheard')
  t.equal(session.err(), '')
})
