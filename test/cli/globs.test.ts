import t from 'tap'
import { expanded, isGlob, literalStart, matcherOf, matching } from '../../src/cli/globs.ts'
import type { StoreClient } from '../../src/client/client.ts'

const paths = ['a/1.jpg', 'a/2.png', 'a/[1].jpg', 'a/b/3.jpg', 'c.jpg']
const session = { signal: new AbortController().signal }
const prefixes: string[] = []
const client = {
  async *list(prefix: string) {
    prefixes.push(prefix)
    for (const path of paths) if (path.startsWith(prefix)) yield { path }
  },
  exists: async (path: string) => paths.includes(path),
} as unknown as StoreClient

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

t.test('a star stays within a segment, two do not', async t => {
  const fitting = async (pattern: string) =>
    (await all(matching(client, pattern, session))).map(({ path }) => path)
  t.same(await fitting('a/*.jpg'), ['a/1.jpg', 'a/[1].jpg'])
  t.equal(prefixes.at(-1), 'a/', 'only what can fit is listed')
  t.same(await fitting('/a/**/*.jpg'), ['a/1.jpg', 'a/[1].jpg', 'a/b/3.jpg'])
  t.same(await fitting('a/{1.jpg,2.png}'), ['a/1.jpg', 'a/2.png'])
  t.same(await fitting('a/[0-9].*'), ['a/1.jpg', 'a/2.png'])
  t.equal(literalStart('a/b'), 'a/b')
  t.ok(matcherOf('#*')('#1'), 'no comments')
  t.ok(matcherOf('!*')('!1'), 'and no negation')
  t.notOk(isGlob('a/b.txt'))
})

t.test('words become paths', async t => {
  t.same(await all(expanded(client, ['x', 'a/*.png', 'a/[1].jpg'], session)), ['x', 'a/2.png', 'a/[1].jpg'])
  await t.rejects(all(expanded(client, ['z*'], session)), /z\*: no path fits/)
})
