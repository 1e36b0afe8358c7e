import t from 'tap'
import { FileService } from '../../src/files/file-service.ts'
import {
  isReserved,
  RESERVED_SEGMENT,
  refuseReserved,
  withoutReserved,
} from '../../src/files/reserved-paths.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import { type ListQuery, placeOf } from '../../src/storage/storage.ts'
import { runServer } from '../http/running-server.ts'
import { listSource } from './list-source.ts'

const own = (name: string) => `${RESERVED_SEGMENT}/${name}` as PathName

t.test('what is reserved', async t => {
  t.ok(isReserved(own('a')))
  for (const path of [RESERVED_SEGMENT, `${RESERVED_SEGMENT}x/a`, `a/${RESERVED_SEGMENT}/b`])
    t.notOk(isReserved(path), path)
  t.throws(() => refuseReserved('a' as PathName, own('b')), { code: 'INVALID_PATH', path: own('b') })
})

t.test('a list goes round it, however much there is', async t => {
  const many = Array.from({ length: 50 }, (_, i) => own(`file-${i}`))
  const source = withoutReserved(listSource([...many, '!', '.', 'a', 'b/c']))
  const list = async (limit: number, after?: string, more?: Partial<ListQuery>) =>
    (await source.list({ prefix: '', after, limit, ...more })).map(placeOf)
  t.same(await list(10), ['!', '.', 'a', 'b/c'])
  t.same(await list(3), ['!', '.', 'a'])
  t.same(await list(2), ['!', '.'])
  t.same(await list(2, own('file-20')), ['a', 'b/c'])
  t.same(await list(10, undefined, { delimiter: '/' }), ['!', '.', 'a', 'b/'])
  t.same(await list(10, undefined, { prefix: `${RESERVED_SEGMENT}/` }), [])
})

t.test('no endpoint reads or writes it', async t => {
  const { origin, files, storage } = await runServer(t, { listen: true })
  t.ok(files instanceof FileService)
  const before = storage.statistics().files
  const path = own('a')
  const asked = async (method: string, endpoint: string) => {
    const reply = await fetch(`${origin}${endpoint}`, { method, ...(method === 'PUT' && { body: 'x' }) })
    return ((await reply.json()) as { error: { code: string } }).error.code
  }
  t.equal((await fetch(`${origin}/put/plain`, { method: 'PUT', body: 'x' })).status, 201)
  t.equal(await asked('PUT', `/put/${path}`), 'INVALID_PATH')
  t.equal(await asked('GET', `/get/${path}`), 'INVALID_PATH')
  t.equal(await asked('DELETE', `/remove/${path}`), 'INVALID_PATH')
  t.equal(await asked('POST', `/copy/plain/${encodeURIComponent(path)}`), 'INVALID_PATH')
  t.equal(await asked('POST', `/move/plain/${encodeURIComponent(path)}`), 'INVALID_PATH')
  t.equal(await asked('POST', `/move/${encodeURIComponent(path)}/other`), 'INVALID_PATH')
  const form = new FormData()
  form.append('file', new Blob(['x']), 'a')
  const upload = await fetch(`${origin}/upload/${RESERVED_SEGMENT}`, { method: 'POST', body: form })
  t.equal(upload.status, 400)
  t.equal(storage.statistics().files, before + 1)
  t.equal(storage.statistics().staged, 0, 'nothing that was received stays behind')
})
