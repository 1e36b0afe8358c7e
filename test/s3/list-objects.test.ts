import fc from 'fast-check'
import t from 'tap'
import type { FileService } from '../../src/files/file-service.ts'
import { listBatches } from '../../src/files/listing.ts'
import { comparePathNames } from '../../src/ring/path-name.ts'
import { type ListedKey, listKeys, maxKeys, placeOfListed } from '../../src/s3/list-objects.ts'
import type { BucketName } from '../../src/s3/object-key.ts'
import { pathOfKey } from '../../src/s3/object-key.ts'
import { listSource } from '../files/list-source.ts'
import { nodeWithBucket, textsOf } from './s3-node.ts'

const bucket = 'bucket' as BucketName

/** The store as a list sees it. */
function filesOf(keys: readonly string[]): FileService {
  const paths = [...keys.map(key => pathOfKey(bucket, key) as string), 'bucket', 'buckets/a', 'a/b']
  return {
    list: (query: Parameters<FileService['list']>[0]) => listBatches(listSource(paths), query),
  } as unknown as FileService
}

/** What S3 says a list has, made the slow way. */
function expected(keys: readonly string[], prefix: string, delimiter: string, after: string): string[] {
  const places = [...keys]
    .sort(comparePathNames)
    .filter(key => key.startsWith(prefix) && comparePathNames(key, after) > 0)
    .map(key => {
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      return at === -1 ? key : key.slice(0, at + delimiter.length)
    })
    .filter(place => place !== after)
  return [...new Set(places)]
}

const segment = fc.constantFrom('', 'a', 'b', 'ab', ' ', '.a', 'é', 'a-b')
const key = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map(segments => segments.join('/'))
  .filter(text => text !== '')

t.test('every page of every list is what S3 says it is', async () => {
  const query = fc.record({
    prefix: fc.constantFrom('', 'a', 'a/', 'a//', '/', ' ', '.', 'a/b', 'ab/'),
    delimiter: fc.constantFrom('', '/', 'b', '-', '/b'),
    after: fc.constantFrom('', 'a', 'a/', 'a//', 'a/ ', 'b'),
    limit: fc.integer({ min: 1, max: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(key, { maxLength: 12 }), query, async (keys, asked) => {
      const found: string[] = []
      let after: string | undefined = asked.after
      while (after !== undefined) {
        const page: { listed: readonly ListedKey[]; next: string | undefined } = await listKeys(
          filesOf(keys),
          bucket,
          { ...asked, after },
        )
        if (page.listed.length > asked.limit) return false
        found.push(...page.listed.map(placeOfListed))
        after = page.next
      }
      return (
        JSON.stringify(found) === JSON.stringify(expected(keys, asked.prefix, asked.delimiter, asked.after))
      )
    }),
    { numRuns: 1500 },
  )
})

t.test('the forms of the answers', async t => {
  const { ask } = await nodeWithBucket(t)
  for (const name of ['a%20b', 'd/1', 'd/2', 'e%26', 'f/'])
    t.equal((await ask({ method: 'PUT', path: `/bucket/${name}`, body: 'x' })).status, 200)
  const list = async (query: Record<string, string>) => (await ask({ path: '/bucket', query })).text

  const first = await list({ 'list-type': '2', 'max-keys': '2', delimiter: '/' })
  t.same(textsOf(first, 'Key'), ['a b'])
  t.same(textsOf(first, 'Prefix').slice(1), ['d/'])
  t.same(textsOf(first, 'KeyCount'), ['2'])
  t.same(textsOf(first, 'IsTruncated'), ['true'])
  t.same(textsOf(first, 'DisplayName'), [], 'the owner only when it is asked for')
  const [token] = textsOf(first, 'NextContinuationToken') as [string]
  const second = await list({
    'list-type': '2',
    delimiter: '/',
    'continuation-token': token,
    'fetch-owner': 'true',
  })
  t.same(textsOf(second, 'Key'), ['e&amp;'])
  t.same(textsOf(second, 'Prefix').slice(1), ['f/'])
  t.same(textsOf(second, 'IsTruncated'), ['false'])
  t.equal(textsOf(second, 'DisplayName').length, 1)

  t.same(textsOf(await list({ 'list-type': '2', 'start-after': 'd/1' }), 'Key'), ['d/2', 'e&amp;', 'f/'])
  t.same(textsOf(await list({ 'encoding-type': 'url' }), 'Key'), ['a%20b', 'd/1', 'd/2', 'e%26', 'f/'])
  const marked = await list({ marker: 'd/2', delimiter: '/', 'max-keys': '1' })
  t.same(textsOf(marked, 'NextMarker'), ['e&amp;'])
  t.same(textsOf(await list({ 'max-keys': '0' }), 'Key'), [])
  const versions = await list({ versions: '' })
  t.same(textsOf(versions, 'VersionId'), Array(5).fill('null'))
  t.same(textsOf(versions, 'Key').length, 5)
  const some = await list({ versions: '', 'max-keys': '2' })
  t.same(textsOf(some, 'NextKeyMarker'), ['d/1'])
  t.same(textsOf(some, 'NextVersionIdMarker'), ['null'], 'clients hand both on')

  const refused = async (query: Record<string, string>) => (await ask({ path: '/bucket', query })).code
  t.equal(await refused({ 'max-keys': 'x' }), 'InvalidArgument')
  t.equal(await refused({ 'encoding-type': 'x' }), 'InvalidArgument')
  t.equal(await refused({ 'list-type': '2', 'continuation-token': '%' }), 'InvalidArgument')
  t.equal((await ask({ path: '/nothing' })).code, 'NoSuchBucket')
})

t.test('bounds of a page', async t => {
  t.equal(maxKeys(undefined), 1000)
  t.equal(maxKeys('5000'), 1000)
  t.equal(maxKeys('0'), 0)
  t.throws(() => maxKeys('-1'), { code: 'InvalidArgument' })
})

t.test('a prefix or a place that is longer than any key', async t => {
  const node = await nodeWithBucket(t)
  const key = 'b'.repeat(900)
  for (const name of [key, 'a', 'c']) await node.ask({ method: 'PUT', path: `/bucket/${name}`, body: 'x' })
  const keys = async (query: Record<string, string>) =>
    textsOf((await node.ask({ path: '/bucket', query })).text, 'Key')
  t.same(await keys({ prefix: 'b'.repeat(5_000) }), [])
  t.same(await keys({ 'list-type': '2', 'start-after': 'b'.repeat(5_000) }), ['c'])
  t.same(await keys({ marker: `b${'\u{1f600}'.repeat(1_100)}` }), ['c'])
  t.same(await keys({ versions: '', 'key-marker': 'a'.repeat(5_000) }), [key, 'c'])
})
