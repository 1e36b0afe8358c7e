import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startProgress } from '../../src/cli/progress.ts'
import { scriptedSession } from './scripted-session.ts'

for (const isTTY of [true, false]) {
  t.test(`bytes pass and are counted, ${isTTY ? 'on a terminal' : 'in a pipe'}`, async t => {
    const session = scriptedSession({ isTTY })
    const progress = startProgress(session)
    progress.expect(2, 10)
    let counted = 0
    const body = Readable.from([Buffer.from('hello'), Buffer.from('world')])
    const passed = progress.metered(body, bytes => {
      counted += bytes
    })
    t.equal(await text(Readable.from(passed)), 'helloworld')
    t.equal(counted, 10)
    progress.fileDone()
    progress.stop()
    t.notMatch(session.err(), /0 B of 0 B/, 'the bar begins once it knows of something')
    if (isTTY) t.match(session.err(), /100% \| 10 B of 10 B \| 1 of 2 files/)
    else t.equal(session.err(), '', 'nothing is written into a pipe')
  })
}
