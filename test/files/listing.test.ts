import fc from 'fast-check'
import t from 'tap'
import { type Listed, type ListQuery, listBatches, oneBatch, placeOf } from '../../src/files/listing.ts'
import { listSource } from './list-source.ts'

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

const batchesOf = (paths: readonly string[], query: Partial<ListQuery>) =>
  collect(listBatches(listSource(paths), everything(query)))

const placesOf = async (paths: readonly string[], query: Partial<ListQuery>) =>
  (await batchesOf(paths, query)).flat().map(placeOf)

t.test('one level sums up what lies deeper, and shows a file beside the prefix of its name', async t => {
  const paths = ['a', 'a/b', 'a/c/d', 'a0', 'b/x', 'b/y', 'c']
  t.same(await placesOf(paths, { delimiter: '/' }), ['a', 'a/', 'a0', 'b/', 'c'])
  t.same(await placesOf(paths, { delimiter: '/', prefix: 'a/' }), ['a/b', 'a/c/'])
  t.same(await placesOf(paths, { delimiter: '/', prefix: 'a' }), ['a', 'a/', 'a0'])
  t.same(await placesOf(paths, { delimiter: '/', after: 'a/' }), ['a0', 'b/', 'c'])
  t.same(await placesOf(paths, { prefix: 'b/' }), ['b/x', 'b/y'])
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
        const source = listSource(paths)
        const joined: Listed[] = []
        let after: string | undefined
        for (;;) {
          const page = await oneBatch(source, { prefix, delimiter, limit, after })
          joined.push(...page.listed)
          if (page.next === undefined) break
          after = page.next
        }
        const whole = await source.list({ prefix, delimiter, limit: Number.POSITIVE_INFINITY })
        t.same(joined.map(placeOf), whole.map(placeOf))
      },
    ),
    { numRuns: 200 },
  )
})

t.test('batches end at the limit', async t => {
  const paths = Array.from({ length: 1200 }, (_, i) => String(i).padStart(5, '0'))
  const lengths = (await batchesOf(paths, { limit: 1100 })).map(batch => batch.length)
  t.same(lengths, [500, 500, 100])
})
