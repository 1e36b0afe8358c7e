import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { HISTORY_LINES_MAX, historyFile, ShellHistory } from '../../src/cli/shell-history.ts'

t.test('where it is', async t => {
  t.equal(historyFile({ XDG_STATE_HOME: '/s', HOME: '/h' }), '/s/altered-chord/shell-history')
  t.equal(historyFile({ HOME: '/h' }), '/h/.local/state/altered-chord/shell-history')
  t.equal(
    historyFile({ XDG_STATE_HOME: 'relative', HOME: '/h' }),
    '/h/.local/state/altered-chord/shell-history',
  )
  t.equal(historyFile({ XDG_STATE_HOME: '', HOME: '' }), undefined)
})

t.test('what is typed is there the next time, for its user alone', async t => {
  const file = join(t.testdir({}), 'state', 'altered-chord', 'shell-history')
  const history = new ShellHistory(file)
  t.same(history.lines, [])
  for (const line of ['list', '', ' secret', 'get --token abc x', 'query "a b"']) history.add(line)
  t.same(new ShellHistory(file).lines, ['list', 'query "a b"'])
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('it is bounded', async t => {
  const file = join(t.testdir({}), 'history')
  const lines = Array.from({ length: 2 * HISTORY_LINES_MAX + 1 }, (_, i) => `line ${i}`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  t.same(new ShellHistory(file).lines, lines.slice(-HISTORY_LINES_MAX))
  t.equal(readFileSync(file, 'utf8'), `${lines.slice(-HISTORY_LINES_MAX).join('\n')}\n`)
})

t.test('without a file nothing is kept; a file that is none is an error', async t => {
  const none = new ShellHistory(undefined)
  none.add('list')
  t.same(none.lines, [])
  const folder = t.testdir({})
  t.throws(() => new ShellHistory(folder), { code: 'EISDIR' })
  t.notOk(existsSync(join(folder, 'shell-history')))
})
