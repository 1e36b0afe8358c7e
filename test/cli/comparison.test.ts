import { createHash } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { hasSameContent, kindOfListed } from '../../src/cli/comparison.ts'
import type { FetchedFile, ListedFile } from '../../src/client/client.ts'
import { attributesOf, metaOfAttributes } from '../../src/file-attributes.ts'

const signal = new AbortController().signal
const sha256 = createHash('sha256').update('abc').digest('hex')
const bare = { path: 'a', etag: '"1"', writtenAt: '', mediaType: 'text/plain' }

t.test('what stands for a link or a folder is told by its metadata', async t => {
  const listed = (more: Partial<ListedFile>): ListedFile => ({ ...bare, size: 0, ...more })
  t.equal(kindOfListed(listed({ meta: { link: 'x' } })), 'link')
  t.equal(kindOfListed(listed({ meta: { link: 'x' }, size: 3 })), 'file', 'a file with bytes is one')
  t.equal(kindOfListed(listed({ mediaType: 'inode/directory' })), 'folder')
  t.equal(kindOfListed(listed({})), 'file')
})

t.test('the same bytes, or with quick the same size and time', async t => {
  const file = join(t.testdir({ a: 'abc' }), 'a')
  const attributes = attributesOf(lstatSync(file, { bigint: true }))
  const local = { kind: 'file', file, size: 3, mtimeNs: attributes.mtimeNs } as const
  const meta = metaOfAttributes(attributes)
  const older = metaOfAttributes({ ...attributes, mtimeNs: attributes.mtimeNs - 5000n })
  const wrong = 'f'.repeat(64)
  const rows: [what: string, listed: Partial<ListedFile>, quick: boolean, same: boolean][] = [
    ['the hash', { sha256 }, false, true],
    ['another hash', { sha256: wrong }, false, false],
    ['another size', { size: 4, sha256 }, false, false],
    ['quick: the time', { sha256: wrong, meta }, true, true],
    ['quick: another time', { sha256, meta: older }, true, false],
    ['quick without a time: the hash', { sha256 }, true, true],
    ['no hash in the list: that of the file', {}, false, true],
    ['a link is none', { size: 0, meta: { link: 'x' } }, false, false],
  ]
  const get = async () => ({ body: Readable.from([]), sha256 }) as unknown as FetchedFile
  for (const [what, more, quick, same] of rows) {
    const listed = { ...bare, size: 3, ...more }
    t.equal(await hasSameContent({ get }, local, listed, { quick, signal }), same, what)
  }
})
