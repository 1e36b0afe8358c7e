import { join } from 'node:path'
import { split } from 'shlex'
import t from 'tap'
import { complete } from '../../src/cli/shell-completion.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'

t.test('what the Tab key completes', async t => {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  for (const path of ['docs/one.txt', 'docs/two words.txt', 'docs/deep/x', 'alone'])
    await client.put(path, '')
  await client.pairs.insert('color', 1)
  await client.pairs.insert('a%b', 1)
  const folder = t.testdir({ 'local file.txt': '', sub: {} })
  const sources = {
    commands: ['get', 'list', 'lookup', 'query'],
    client,
    signal: new AbortController().signal,
  }
  const { host } = new URL(url)
  const cases: [string, string[]][] = [
    ['', ['get', 'list', 'lookup', 'query']],
    ['l', ['list', 'lookup']],
    ['q', ['query ']],
    ['get ', ['alone', 'docs/', 'kv/']],
    ['get a', ['alone ']],
    ['get d', ['docs/']],
    ['list docs/', ['docs/deep/', 'docs/one.txt', 'docs/two\\ words.txt']],
    ['list -l docs/t', ['docs/two\\ words.txt ']],
    ['get docs/two\\ w', ['docs/two\\ words.txt ']],
    ['query c', ['color ']],
    ['query a', ['a%b ']],
    ['setnode ', [`${host} `]],
    ['join 127', [`${host} `]],
    ['help li', ['list ']],
    [`put ${join(folder, 'loc')}`, [`${join(folder, 'local\\ file.txt')} `]],
    [`put ${join(folder, 'su')}`, [`${join(folder, 'sub')}/`]],
    ['put x d', ['docs/']],
    ['unknown x', []],
    ['get docs/none', []],
    ['exit ', []],
  ]
  for (const [line, hits] of cases) {
    const [found, last] = await complete(line, sources)
    t.same(found, hits, line)
    t.ok(line.endsWith(last), line)
    // What is inserted has to be read back as one word.
    for (const hit of found) t.equal(split(hit).length, 1, hit)
  }
})
