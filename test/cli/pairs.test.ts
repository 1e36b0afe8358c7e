import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('insert, query and delete', async t => {
  const { url } = await runningNode(t)
  const run = async (...args: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    const code = await runCli(args, session)
    return { code, out: session.out(), err: session.err() }
  }
  t.same(await run('query', '*'), { code: 0, out: '', err: '' })
  t.same(await run('insert', 'two words', 'a value'), { code: 0, out: 'inserted\n', err: '' })
  t.same(await run('insert', 'two words', 'another'), { code: 0, out: 'updated\n', err: '' })
  t.same(await run('query', 'two words'), { code: 0, out: 'another\n', err: '' })
  t.same(await run('query', '--json', 'two words'), { code: 0, out: '"another"\n', err: '' })
  t.match(await run('insert', '--json', 'a', '{"x": 1}'), { code: 0 })
  t.same(await run('query', 'a'), { code: 0, out: '{"x":1}\n', err: '' })
  t.same(
    (await run('query', '*')).out,
    '{"key":"a","value":{"x":1}}\n{"key":"two words","value":"another"}\n',
  )
  t.same(await run('delete', 'a'), { code: 0, out: 'deleted\n', err: '' })
  t.match(await run('delete', 'a'), { code: 1, out: '', err: 'No pair has this key. (FILE_NOT_FOUND)\n' })
  t.match(await run('query', 'a'), { code: 1, out: '', err: /FILE_NOT_FOUND/ })
  t.match(await run('insert', '--json', 'a', '{x}'), { code: 1, err: /The value is not JSON/ })
  t.match(await run('insert', '', 'x'), { code: 1, err: /key is refused: it is empty/ })
  t.match(await run('insert', 'a'), { code: 2, err: /missing required argument 'value'/ })
})
