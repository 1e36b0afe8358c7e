import { Buffer } from 'node:buffer'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { FileService } from '../../src/files/file-service.ts'
import { compactJson } from '../../src/files/json-text.ts'
import { parseKey, VALUE_BYTES_MAX } from '../../src/files/key-values.ts'
import { allPairs, getPair, putPair, removePair } from '../../src/files/pairs.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { ADDRESS } from '../http/running-server.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'

const always = { condition: 'none' } as const

function service(t: { teardown(end: () => unknown): unknown }): FileService {
  const env = realEnv()
  const storage = new MemoryStorage({ env })
  const ring = foundedRing(env, storage, ADDRESS)
  t.teardown(() => ring.close())
  return new FileService(
    { replication: ring.replication, storage },
    { consistency: 'chain', fileBytesMax: 1e9 },
  )
}

function putFile(files: FileService, path: string, text: string | Buffer) {
  const body = async function* () {
    yield Buffer.from(text)
  }
  return files.put(path as PathName, body(), { ...always, meta: { mediaType: 'text/plain' } })
}

const put = (files: FileService, key: string, json: string) =>
  putPair(files, { key: parseKey(key), value: compactJson(json) }, always)

async function shown(files: FileService): Promise<string[]> {
  const lines: string[] = []
  for await (const { key, value } of allPairs(files)) lines.push(`${key}=${value}`)
  return lines
}

t.test('a pair is a file, and is replaced', async t => {
  const files = service(t)
  const first = await put(files, 'a b', '1.0')
  t.match(first, { replaced: false, record: { path: 'kv/a b', body: { size: 3 } } })
  t.match(await put(files, 'a b', '{"x": 2}'), { replaced: true })
  const { value, file } = await getPair(files, parseKey('a b'))
  t.equal(value, '{"x":2}')
  t.equal(file.record.meta.mediaType, 'application/json')
  await removePair(files, parseKey('a b'), { condition: 'exists' })
  const gone = { code: 'FILE_NOT_FOUND', message: 'No pair has this key.', path: 'kv/a b' }
  await t.rejects(getPair(files, parseKey('a b')), gone)
  await t.rejects(removePair(files, parseKey('a b'), { condition: 'exists' }), gone)
})

t.test('files under kv/ are pairs when they hold JSON, however they came there', async t => {
  const files = service(t)
  await putFile(files, 'kv/json', ' {"a" : 1}\n')
  await putFile(files, 'kv/text', 'hello')
  await putFile(files, 'kv/latin', Buffer.from('"\xe9"', 'latin1'))
  await putFile(files, 'kv/large', JSON.stringify('x'.repeat(VALUE_BYTES_MAX)))
  await putFile(files, 'kv/%41', '1')
  await putFile(files, 'kvetch', '1')
  t.equal((await getPair(files, parseKey('json'))).value, '{"a":1}')
  for (const key of ['text', 'latin', 'large']) {
    const message = `The file kv/${key} holds no JSON value of a pair; /get/kv/${key} has its bytes.`
    await t.rejects(getPair(files, parseKey(key)), { code: 'FILE_NOT_FOUND', message })
  }
  t.same(await shown(files), ['json={"a":1}'])
})

t.test('all pairs, sorted, more than one batch of them, the largest too', async t => {
  const files = service(t)
  const keys = Array.from({ length: 1100 }, (_, i) => `key/${String(i).padStart(4, '0')}`)
  await Promise.all(keys.map((key, i) => put(files, key, String(i))))
  const large = JSON.stringify('x'.repeat(VALUE_BYTES_MAX - 2))
  await put(files, 'zz', large)
  t.same(await shown(files), [...keys.map((key, i) => `${key}=${i}`), `zz=${large}`])
})

t.test('a pair that goes while they are read is not in the list', async t => {
  const files = service(t)
  for (let i = 0; i < 40; i++) await put(files, `k${String(i).padStart(2, '0')}`, '0')
  const seen: string[] = []
  for await (const { key } of allPairs(files)) {
    if (seen.length === 0) await removePair(files, parseKey('k39'), { condition: 'exists' })
    seen.push(key)
  }
  t.equal(seen.length, 39)
  t.notOk(seen.includes('k39'))
})
