import t from 'tap'
import { type Place, parentOf, Resources, upwards } from '../../src/dav/resources.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { runServer } from '../http/running-server.ts'

async function resources(test: Parameters<typeof runServer>[0], ...paths: string[]) {
  const { files } = await runServer(test)
  for (const path of paths)
    await files.put(parsePathName(path), bytes(), { condition: 'absent', meta: { mediaType: 'text/plain' } })
  return { files, tree: new Resources({ files, own: files.withReserved() }) }
}

async function* bytes() {
  yield Buffer.from('x')
}

const at = (path: string): Place => (path === '' ? '' : parsePathName(path))

async function shown(tree: Resources, place: string): Promise<string[]> {
  const names: string[] = []
  for await (const batch of tree.members(at(place)))
    for (const member of batch) names.push(member.kind === 'collection' ? `${member.place}/` : member.place)
  return names
}

t.test('what paths have in common is a collection', async t => {
  const { tree } = await resources(t, 'a/b/c', 'a/d')
  t.match(await tree.find(at('a')), { kind: 'collection', place: 'a' })
  t.match(await tree.find(at('a/d')), { kind: 'file', place: 'a/d' })
  t.equal(await tree.find(at('a/x')), undefined)
  t.match(await tree.find(''), { kind: 'collection', place: '' })
  t.equal(await tree.find(at('.altered-chord')), undefined, 'what is reserved is not there')
  t.same(await shown(tree, ''), ['a/'])
  t.same(await shown(tree, 'a'), ['a/b/', 'a/d'])
})

t.test('an empty one is marked, and no other endpoint sees the mark', async t => {
  const { tree, files } = await resources(t, 'a/d')
  await tree.makeCollection(parsePathName('a/empty'))
  await t.rejects(tree.makeCollection(parsePathName('a/empty')), { code: 'FILE_EXISTS' })
  t.match(await tree.find(at('a/empty')), { kind: 'collection' })
  t.same(await shown(tree, 'a'), ['a/d', 'a/empty/'])
  const all: unknown[] = []
  for await (const batch of files.list({ prefix: '', limit: 100 }))
    all.push(...batch.map(entry => (entry as { path: string }).path))
  t.same(all, ['a/d'])
  const below: string[] = []
  for await (const { path, isMarker } of tree.everything(parsePathName('a')))
    below.push(`${path}${isMarker ? '/' : ''}`)
  t.same(below, ['a/d', 'a/empty/'])
  await tree.removeMarker(parsePathName('a/empty'))
  t.equal(await tree.find(at('a/empty')), undefined)
})

t.test('of a file and a collection with one name, the collection is shown', async t => {
  const { tree } = await resources(t, 'a', 'a-b', 'a/c', 'a.txt', 'b')
  t.match(await tree.find(at('a')), { kind: 'collection' })
  t.same((await shown(tree, '')).sort(), ['a-b', 'a.txt', 'a/', 'b'])
})

t.test('ways up', async t => {
  t.equal(parentOf(parsePathName('a/b/c')), 'a/b')
  t.equal(parentOf(parsePathName('a')), '')
  t.same(upwards(at('a/b')), ['a/b', 'a', ''])
  t.same(upwards(''), [''])
})
