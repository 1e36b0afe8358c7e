import { Buffer } from 'node:buffer'
import t from 'tap'
import { type Header, pack } from 'tar-stream'
import { errorCode, StoreError } from '../../src/errors.ts'
import type { FileService } from '../../src/files/file-service.ts'
import { type IntakeInit, type IntakeReport, takeInTar } from '../../src/http/archive-intake.ts'
import { runServer } from './running-server.ts'

type Entry = Partial<Header> & { readonly name: string; readonly bytes?: string | Buffer }

/** An archive of these entries, as any program may have made it. */
async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack()
  for (const { bytes, ...header } of entries)
    if (bytes === undefined) tar.entry({ mtime: new Date(1e12), ...header }).end(Buffer.alloc(0))
    else tar.entry({ mtime: new Date(1e12), ...header }, Buffer.from(bytes))
  tar.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const usual: IntakeInit = {
  prefix: 'p/',
  condition: 'absent',
  keepFolders: false,
  fileBytesMax: 1_000_000,
  allowedExtensions: undefined,
}

async function store(t: Parameters<typeof runServer>[0]) {
  const { files } = await runServer(t)
  const take = (
    archive: Uint8Array | AsyncIterable<Uint8Array>,
    init: Partial<IntakeInit> = {},
  ): Promise<IntakeReport> =>
    takeInTar(files, () => (archive instanceof Uint8Array ? inPieces(archive) : archive), {
      ...usual,
      ...init,
    })
  const listed = async () => {
    const all = []
    for await (const batch of files.list({ prefix: '', limit: 1000 })) all.push(...batch)
    return all.flatMap(entry => (typeof entry === 'string' ? [] : [entry]))
  }
  return { files, take, listed }
}

async function* inPieces(bytes: Uint8Array, size = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

t.test('files, links and what is said of them come in', async t => {
  const { files, take, listed } = await store(t)
  const archive = await tarOf([
    { name: './', type: 'directory' },
    { name: './a.txt', bytes: 'one', mode: 0o4755, pax: { mtime: '981173106.1234567891' } },
    { name: './sub/', type: 'directory', mode: 0o700 },
    { name: `./sub/${'n'.repeat(150)}`, bytes: 'long' },
    { name: './sub/ü', bytes: 'ü' },
    { name: './link', type: 'symlink', linkname: '../to ü' },
    { name: './hard', type: 'link', linkname: './a.txt' },
    { name: './tty', type: 'character-device' },
    { name: './fifo', type: 'fifo' },
    { name: './big', bytes: Buffer.alloc(200_000, 7) },
  ])
  t.same(await take(archive), {
    stored: 6,
    bytes: 200_000 + 3 + 4 + 2 + 3,
    unchanged: 0,
    folders: 2,
    skipped: [
      { name: './tty', reason: 'a device' },
      { name: './fifo', reason: 'a FIFO' },
    ],
    skippedMore: 0,
  })
  const byPath = new Map((await listed()).map(({ path, ...rest }) => [path as string, rest]))
  t.same([...byPath.keys()], ['p/a.txt', 'p/big', 'p/hard', 'p/link', `p/sub/${'n'.repeat(150)}`, 'p/sub/ü'])
  t.match(byPath.get('p/a.txt'), {
    mediaType: 'text/plain',
    user: [
      ['mode', '0755'],
      ['mtime', '981173106.123456789'],
    ],
  })
  t.match(byPath.get('p/link'), {
    size: 0,
    mediaType: 'inode/symlink',
    user: [['link', '../to%20%C3%BC'], ['mode'], ['mtime']],
  })
  const { record } = await files.find('p/hard' as never)
  t.equal(record?.body.size, 3)

  const again = await take(archive)
  t.match(again, { stored: 0, unchanged: 6 }, 'the same again changes nothing')
  t.match(await take(archive, { keepFolders: true }), { stored: 1, unchanged: 6 })
  t.match(
    (await listed()).find(({ path }) => path === 'p/sub'),
    { mediaType: 'inode/directory', size: 0 },
  )
})

t.test('a file that differs is replaced only where that is asked for', async t => {
  const { take, files } = await store(t)
  await take(await tarOf([{ name: 'a', bytes: 'one' }]))
  const other = await tarOf([
    { name: '0', bytes: 'new' },
    { name: 'a', bytes: 'two' },
  ])
  const refused = await take(other).catch(error => error)
  t.match(refused, { code: 'FILE_EXISTS', path: 'p/a', message: /Before it, 1 file was stored/ })
  t.match(await take(other, { condition: 'none' }), { stored: 1, unchanged: 1 })
  t.equal((await files.find('p/a' as never)).record?.body.size, 3)
  const later = await tarOf([{ name: 'a', bytes: 'two', mtime: new Date(2e12) }])
  t.match(await take(later), { unchanged: 1 }, 'another time alone is no other file')
  t.match(await take(later, { condition: 'none' }), { stored: 1 })
})

t.test('the last of two entries of one name wins, as in tar', async t => {
  const { take, files } = await store(t)
  const archive = await tarOf([
    { name: 'a', bytes: 'first' },
    { name: 'a', bytes: 'second' },
  ])
  t.match(await take(archive, { condition: 'none' }), { stored: 2 })
  t.equal((await files.find('p/a' as never)).record?.body.size, 6)
})

t.test('what an archive may not say ends it, with the name', async t => {
  const { take, listed } = await store(t)
  const cases: [string, Entry, RegExp][] = [
    ['a way out', { name: '../out', bytes: 'x' }, /"\.\.\/out" of the archive is refused/],
    ['one inside', { name: 'a/../../out', bytes: 'x' }, /"a\/\.\.\/\.\.\/out"/],
    ['from the root', { name: '/etc/passwd', bytes: 'x' }, /begins with a slash/],
    ['behind a dot', { name: './/etc/passwd', bytes: 'x' }, /begins with a slash/],
    ['in PAX', { name: 'x', bytes: 'x', pax: { path: '../../out' } }, /"\.\.\/\.\.\/out"/],
    ['a control character', { name: 'a\nb', bytes: 'x' }, /refused/],
    ['too long', { name: 'n'.repeat(1100), bytes: 'x' }, /refused/],
    ['no UTF-8', { name: 'x', bytes: 'x', pax: { path: 'a\ufffd' } }, /not UTF-8/],
    [
      'a hard link out',
      { name: 'h', type: 'link', linkname: '../../secret' },
      /"h" of the archive is refused/,
    ],
    [
      'a hard link to nothing',
      { name: 'h', type: 'link', linkname: 'none' },
      /hard link to "none", which is not there/,
    ],
    ['sparse', { name: 'x', bytes: 'x', pax: { 'GNU.sparse.major': '1' } }, /--sparse/],
  ]
  for (const [what, entry, message] of cases) {
    const archive = await tarOf([{ name: 'good', bytes: 'good' }, entry, { name: 'after', bytes: 'after' }])
    const error = await take(archive).catch(error => error)
    t.equal(errorCode(error), 'INVALID_PATH', what)
    t.match(error.message, message, what)
  }
  t.same(
    (await listed()).map(({ path }) => path),
    ['p/good'],
    'nothing behind it is stored',
  )
  const sparse = await tarOf([{ name: 'old', bytes: 'x' }])
  sparse[156] = 'S'.charCodeAt(0)
  t.match(await take(rightChecksum(sparse)).catch(error => error), {
    code: 'INVALID_PATH',
    message: /--sparse/,
  })
  const bytes = await tarOf([{ name: 'fe', bytes: 'x' }])
  bytes[1] = 0xff
  t.match(await take(rightChecksum(bytes)).catch(error => error), {
    code: 'INVALID_PATH',
    message: /not UTF-8/,
  })
})

/** The checksum of the first header of an archive that was tampered with. */
function rightChecksum(archive: Buffer): Buffer {
  archive.fill(' ', 148, 156)
  const sum = archive.subarray(0, 512).reduce((sum, byte) => sum + byte, 0)
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return archive
}

t.test('what is no whole archive is refused', async t => {
  const { take } = await store(t)
  const archive = await tarOf([
    { name: 'a', bytes: 'one' },
    { name: 'b', bytes: Buffer.alloc(100_000) },
  ])
  const bad: [string, Uint8Array, RegExp][] = [
    ['nothing', Buffer.alloc(0), /ends before it is complete/],
    ['cut between two entries', archive.subarray(0, 1024), /ends before it is complete. Before it, 1 file/],
    ['cut in an entry', archive.subarray(0, 50_000), /ends before it is complete/],
    ['without its end', archive.subarray(0, -1024), /ends before it is complete/],
    ['text', Buffer.alloc(2048, 'text'), /no tar archive/],
    ['compressed', Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(2048, 9)]), /unpacked first/],
  ]
  for (const [what, bytes, message] of bad)
    t.match(await take(bytes).catch(error => error), { code: 'INVALID_REQUEST', message }, what)
  t.match(await take(Buffer.alloc(10_240)), { stored: 0 }, 'an empty one is one')
  const huge = await tarOf([{ name: 'x', bytes: 'x', pax: { comment: 'y'.repeat(5_000_000) } }])
  t.match(await take(huge).catch(error => error), { code: 'INVALID_REQUEST' }, 'a header is bounded')
})

t.test('limits of files hold', async t => {
  const { take } = await store(t)
  const archive = await tarOf([{ name: 'a.exe', bytes: Buffer.alloc(2000) }])
  t.match(await take(archive, { fileBytesMax: 1999 }).catch(error => error), {
    code: 'FILE_TOO_LARGE',
    path: 'p/a.exe',
  })
  t.match(await take(archive, { allowedExtensions: ['txt'] }).catch(error => error), {
    code: 'TYPE_NOT_ALLOWED',
  })
})

t.test('an error of the body, and one of the store, come out as they are', async t => {
  const { take, files } = await store(t)
  const broken = async function* () {
    yield (await tarOf([{ name: 'a', bytes: Buffer.alloc(5000) }])).subarray(0, 1500)
    throw new StoreError('REQUEST_TIMEOUT', 'It stands still.')
  }
  t.match(await take(broken()).catch(error => error), { code: 'REQUEST_TIMEOUT' })
  const full = {
    receive: files.receive.bind(files),
    find: files.find.bind(files),
    dropReceived: files.dropReceived.bind(files),
    copy: files.copy.bind(files),
    commitReceived: async (...[path, received]: Parameters<FileService['commitReceived']>) => {
      await files.dropReceived(received)
      throw new StoreError('DISK_FULL', 'No space.', { path })
    },
  }
  const many = await tarOf(Array.from({ length: 50 }, (_, i) => ({ name: `f${i}`, bytes: 'x' })))
  let aborted = false
  const body = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => {
      aborted = true
    })
    return inPieces(many)
  }
  t.match(await takeInTar(full, body, usual).catch(error => error), { code: 'DISK_FULL' })
  t.ok(aborted, 'no more of the body is wanted')
})

t.test('the key of a request counts for each file', async t => {
  const { take, files } = await store(t)
  await take(await tarOf([{ name: 'a', bytes: 'one' }]), { idempotencyKey: 'k', condition: 'none' })
  await files.remove('p/a' as never, { condition: 'exists' })
  const other = await tarOf([{ name: 'a', bytes: 'two' }])
  t.match(await take(other, { idempotencyKey: 'k', condition: 'none' }).catch(error => error), {
    code: 'IDEMPOTENCY_KEY_REUSED',
  })
})
