import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { integer, integers, startBar, writeFiles } from '../../src/cli/experiment-terms.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('numbers within bounds', async t => {
  t.equal(integer(1, 5)('5'), 5)
  t.same(integers(1, 5)('1,5'), [1, 5])
  for (const text of ['', ' ', '0', '6', '1.5', 'x', '1,x']) {
    t.throws(() => integers(1, 5)(text), { message: /no whole number/ }, JSON.stringify(text))
  }
})

t.test('figures become files, and it is said where', async t => {
  const session = scriptedSession()
  const folder = join(t.testdir(), 'new/folder')
  await writeFiles(session, folder, [['a.csv', 'a\n']])
  t.equal(await readFile(join(folder, 'a.csv'), 'utf8'), 'a\n')
  t.match(session.err(), 'a.csv')
})

t.test('a bar is for terminals', async t => {
  const piped = scriptedSession()
  const bar = startBar(piped, 2, 'nodes')
  bar.advance(1)
  bar.stop()
  t.equal(piped.err(), '')
  const terminal = scriptedSession({ isTTY: true })
  const shown = startBar(terminal, 2, 'nodes')
  shown.advance(2)
  shown.stop()
  t.match(terminal.err(), /of 2 nodes/)
})
