import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import t from 'tap'
import { extract, type Header } from 'tar-stream'
import { StoreError } from '../../src/errors.ts'
import type { ListedFile } from '../../src/files/listing.ts'
import { type Archived, archived, tarOf, zipOf } from '../../src/http/archive-stream.ts'

const file = (name: string, body: Uint8Array | Readable, size: number): Archived => ({
  kind: 'file',
  name,
  mode: 0o640,
  mtimeNs: 981_173_106_123_456_789n,
  size,
  body,
})

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}

async function allOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function entriesOf(archive: Buffer): Promise<{ header: Header; bytes: string }[]> {
  const tar = extract()
  tar.end(archive)
  const entries: { header: Header; bytes: string }[] = []
  for await (const entry of tar)
    entries.push({
      header: entry.header,
      bytes: (await allOf(entry as AsyncIterable<Uint8Array>)).toString(),
    })
  return entries
}

t.test('a tar archive has names, modes, times and links', async t => {
  const archive = await allOf(
    tarOf(
      each<Archived>([
        file('a', Buffer.from('one'), 3),
        file(`${'long/'.repeat(50)}ü`, Readable.from([Buffer.from('t'), Buffer.from('wo')]), 3),
        { kind: 'file', name: 'empty', mode: 0o600, mtimeNs: -5n, size: 0 },
        {
          kind: 'link',
          name: 'l',
          mode: 0o777,
          mtimeNs: 5_000_000_000_000_000_000n,
          size: 0,
          target: Buffer.from('../ü'),
        },
        { kind: 'folder', name: 'f', mode: 0o700, mtimeNs: 1n, size: 0 },
        { kind: 'file', name: 'nobody', mode: 0, mtimeNs: 1n, size: 0 },
      ]),
    ),
  )
  t.ok(archive.subarray(-1024).every(byte => byte === 0))
  const entries = await entriesOf(archive)
  t.match(entries, [
    {
      header: { name: 'a', mode: 0o640, size: 3, type: 'file', pax: { mtime: '981173106.123456789' } },
      bytes: 'one',
    },
    { header: { name: `${'long/'.repeat(50)}ü` }, bytes: 'two' },
    { header: { name: 'empty', pax: { mtime: '-0.000000005' } }, bytes: '' },
    { header: { name: 'l', type: 'symlink', linkname: '../ü', pax: { mtime: '5000000000.000000000' } } },
    { header: { name: 'f', type: 'directory', mode: 0o700 } },
    { header: { name: 'nobody', mode: 0 } },
  ])
})

t.test('an archive goes no further than its reader', async t => {
  let given = 0
  const entries = async function* (): AsyncGenerator<Archived> {
    for (; given < 1000; given++)
      yield { kind: 'folder', name: `f${given}`, mode: 0o755, mtimeNs: 0n, size: 0 }
  }
  const reader = tarOf(entries())
  await reader.next()
  await new Promise(resolve => setImmediate(resolve))
  t.ok(given < 5, `${given} of 1000 entries were taken`)
  await reader.return(undefined)
  t.ok(given < 5)
})

t.test('a body that fails breaks the archive off', async t => {
  const failing = () =>
    Readable.from(
      (async function* () {
        yield Buffer.from('half')
        throw new StoreError('CORRUPT', 'It is spoiled.')
      })(),
    )
  for (const format of [tarOf, zipOf]) {
    const entries = each([file('a', Buffer.from('one'), 3), file('b', failing(), 8)])
    await t.rejects(allOf(format(entries)), { code: 'CORRUPT' })
  }
  await t.rejects(allOf(tarOf(each([file('short', Buffer.from('one'), 4)]))), /Size mismatch/)
})

t.test('whoever goes away lets go of what is open', async t => {
  const body = Readable.from([Buffer.alloc(100_000), Buffer.alloc(100_000)])
  const reader = tarOf(each([file('a', body, 200_000)]))
  await reader.next()
  await reader.next()
  await reader.return(undefined)
  await new Promise(resolve => setImmediate(resolve))
  t.ok(body.destroyed)
})

t.test('a zip archive has a bound', async t => {
  const many = function* (): Generator<Archived> {
    for (let i = 0; ; i++) yield { kind: 'file', name: `f${i}`, mode: 0o644, mtimeNs: 0n, size: 0 }
  }
  await t.rejects(allOf(zipOf(each(many()), 10)), {
    code: 'INVALID_REQUEST',
    message: /10 files/,
  })
})

t.test('files are opened in order, and those that are gone are left out', async t => {
  const listed = (path: string, more: Partial<ListedFile> = {}) =>
    ({
      path: `p/${path}`,
      size: 3,
      mediaType: 'text/plain',
      writtenAtMs: 1000,
      etag: '"1.1-0"',
      ...more,
    }) as unknown as ListedFile
  let finds = 0
  const files = {
    find: async (path: string) => {
      finds++
      return (path === 'p/gone' ? {} : { record: { path, body: { size: 3 } }, chain: [] }) as never
    },
    read: async ({ record }: { record: { path: string } }) => {
      if (record.path === 'p/moved' && finds++ < 100) throw new StoreError('FILE_NOT_FOUND', 'Replaced.')
      return Buffer.from('abc')
    },
  }
  const some = [
    listed('a'),
    listed('gone'),
    listed('link', { size: 0, user: [['link', '%FF']] }),
    listed('folder', { size: 0, mediaType: 'inode/directory' }),
    listed('z', {
      user: [
        ['mode', '0600'],
        ['mtime', '5.5'],
      ],
    }),
  ]
  const seen: Archived[] = []
  for await (const entry of archived(files as never, each([some]), 'p/')) seen.push(entry)
  t.match(seen, [
    { name: 'a', kind: 'file', mode: 0o644, mtimeNs: 1_000_000_000n },
    { name: 'link', kind: 'link', target: Buffer.from([0xff]) },
    { name: 'folder', kind: 'folder', mode: 0o755 },
    { name: 'z', mode: 0o600, mtimeNs: 5_500_000_000n },
  ])
  const all = async () => {
    for await (const _ of archived(files as never, each([[listed('moved')]]), 'p/'));
  }
  await t.rejects(all(), { code: 'FILE_NOT_FOUND' }, 'one that is replaced in a loop ends it')
  let most = 0
  for await (const _ of archived(
    files as never,
    each([Array.from({ length: 100 }, (_, i) => listed(`${i}`))]),
    'p/',
  ))
    most = Math.max(most, finds)
  finds = 0
  const slow = archived(files as never, each([Array.from({ length: 100 }, (_, i) => listed(`${i}`))]), 'p/')
  await slow.next()
  t.ok(finds <= 16, `${finds} were opened for one`)
  await slow.return(undefined)
})

t.test(
  'a zip archive says of each entry what it is, and its mode, also of a file that nobody may read',
  async t => {
    const entries = each<Archived>([
      { kind: 'file', name: 'nobody', mode: 0, mtimeNs: 0n, size: 0 },
      { kind: 'file', name: 'a', mode: 0o640, mtimeNs: 0n, size: 0 },
    ])
    const archive = await allOf(zipOf(entries))
    const modes: number[] = []
    // The central directory: the upper half of the external attributes is the mode (APPNOTE.TXT, 4.4.15).
    for (let at = archive.indexOf('PK\x01\x02'); at !== -1; at = archive.indexOf('PK\x01\x02', at + 4))
      modes.push(archive.readUInt16LE(at + 40))
    t.same(modes, [0o100_000, 0o100_640])
  },
)
