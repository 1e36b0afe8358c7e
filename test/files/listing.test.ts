import fc from 'fast-check'
import t from 'tap'
import { type Listed, type ListQuery, listBatches, oneBatch, placeOf } from '../../src/files/listing.ts'
import { comparePathNames, type PathName } from '../../src/ring/path-name.ts'
import type { ETag } from '../../src/storage/record.ts'
import type { ListEntry } from '../../src/storage/storage.ts'

function storageOf(paths: readonly string[]) {
  const sorted = [...new Set(paths)].sort(comparePathNames)
  let seeks = 0
  return {
    async list(prefix: string, after = '', limit = Number.POSITIVE_INFINITY): Promise<ListEntry[]> {
      seeks++
      const entries: ListEntry[] = []
      for (const path of sorted) {
        if (!path.startsWith(prefix) || comparePathNames(path, after) <= 0) continue
        entries.push({
          path: path as PathName,
          size: 0,
          etag: '""' as ETag,
          mediaType: 'a/b',
          writtenAtMs: 0,
        })
        if (entries.length === limit) break
      }
      return entries
    },
    seeks: () => seeks,
  }
}

const everything = (query: Partial<ListQuery>): ListQuery => ({
  prefix: '',
  limit: Number.POSITIVE_INFINITY,
  ...query,
})

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

const batchesOf = (storage: ReturnType<typeof storageOf>, query: Partial<ListQuery>) =>
  collect(listBatches(storage, everything(query)))

const placesOf = async (paths: readonly string[], query: Partial<ListQuery>) =>
  (await batchesOf(storageOf(paths), query)).flat().map(placeOf)

t.test('one level sums up what lies deeper, and shows a file beside the prefix of its name', async t => {
  const paths = ['a', 'a/b', 'a/c/d', 'a0', 'b/x', 'b/y', 'c']
  t.same(await placesOf(paths, { delimiter: '/' }), ['a', 'a/', 'a0', 'b/', 'c'])
  t.same(await placesOf(paths, { delimiter: '/', prefix: 'a/' }), ['a/b', 'a/c/'])
  t.same(await placesOf(paths, { delimiter: '/', prefix: 'a' }), ['a', 'a/', 'a0'])
  t.same(await placesOf(paths, { delimiter: '/', after: 'a/' }), ['a0', 'b/', 'c'])
  t.same(await placesOf(paths, { prefix: 'b/' }), ['b/x', 'b/y'])
})

t.test('a level of few folders is quick however many files are in them', async t => {
  const paths = Array.from({ length: 5000 }, (_, i) => `folder-${i % 5}/${i}`)
  const storage = storageOf(paths)
  t.equal((await batchesOf(storage, { delimiter: '/' })).flat().length, 5)
  t.ok(storage.seeks() < 10, `${storage.seeks()} seeks`)
})

t.test('a folder may hold the greatest possible names and its neighbour is not lost', async t => {
  const greatest = `f/${'\u{10ffff}'.repeat(255)}`
  t.same(await placesOf([greatest, 'f0'], { delimiter: '/' }), ['f/', 'f0'])
})

t.test('law: pages of any size, joined, are the whole list', async t => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'é', '😀', '0', '.x'), { minLength: 1, maxLength: 4 })
    .map(s => s.join('/'))
  await fc.assert(
    fc.asyncProperty(
      fc.array(path, { maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom('/' as const, undefined),
      fc.constantFrom('', 'a', 'a/', 'é/'),
      async (paths, limit, delimiter, prefix) => {
        const storage = storageOf(paths)
        const joined: Listed[] = []
        let after: string | undefined
        for (;;) {
          const page = await oneBatch(storage, { prefix, delimiter, limit, after })
          joined.push(...page.listed)
          if (page.next === undefined) break
          after = page.next
        }
        const naive = new Set(
          (await storage.list(prefix)).map(({ path: name }) => {
            const end = delimiter === undefined ? -1 : name.indexOf('/', prefix.length)
            return end === -1 ? name : name.slice(0, end + 1)
          }),
        )
        t.same(joined.map(placeOf), [...naive])
      },
    ),
    { numRuns: 200 },
  )
})

t.test('batches end at the limit', async t => {
  const paths = Array.from({ length: 1200 }, (_, i) => String(i).padStart(5, '0'))
  const lengths = (await batchesOf(storageOf(paths), { limit: 1100 })).map(batch => batch.length)
  t.same(lengths, [500, 500, 100])
})
