import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { FileService } from '../../src/files/file-service.ts'
import { putReceived } from '../../src/files/put-received.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'

const meta = { mediaType: 'text/plain' }

function service() {
  const storage = new MemoryStorage({ env: realEnv() })
  const { replication } = foundedRing(realEnv(), storage)
  const init = { consistency: 'chain' as const, fileBytesMax: 1000 }
  return { storage, files: new FileService({ replication, storage }, init) }
}

async function receivedAt(files: FileService, ...paths: string[]) {
  async function* body(text: string) {
    yield new TextEncoder().encode(text)
  }
  return Promise.all(
    paths.map(async path => ({ path: path as PathName, body: await files.receive(body(path)), meta })),
  )
}

t.test('a file that is there already refuses all of them', async t => {
  const { files, storage } = service()
  await putReceived(files, await receivedAt(files, 'b'), { condition: 'absent' })
  const three = await receivedAt(files, 'a', 'b', 'c')
  await t.rejects(putReceived(files, three, { condition: 'absent' }), { code: 'FILE_EXISTS', path: 'b' })
  t.equal(storage.statistics().files, 1)
  t.equal(storage.statistics().staged, 0)
})

t.test('a file that appears in between stops the rest, and the error says what is stored', async t => {
  const { files, storage } = service()
  const three = await receivedAt(files, 'a', 'b', 'c')
  const [rival] = await receivedAt(files, 'b')
  const commit = files.commitReceived.bind(files)
  files.commitReceived = async (path, received, options) => {
    if (path === 'b' && received !== rival?.body && rival)
      await commit(rival.path, rival.body, { condition: 'absent', meta })
    return commit(path, received, options)
  }
  await t.rejects(putReceived(files, three, { condition: 'absent' }), {
    code: 'FILE_EXISTS',
    message: /Stored before it: "a"/,
  })
  t.equal(storage.statistics().files, 2)
  t.equal(storage.statistics().staged, 0)
})

t.test('under one key the whole of it is done once', async t => {
  const { files, storage } = service()
  const options = { condition: 'absent' as const, idempotencyKey: 'form' }
  const first = await putReceived(files, await receivedAt(files, 'a', 'b'), options)
  t.same(await putReceived(files, await receivedAt(files, 'a', 'b'), options), first)
  t.equal(storage.statistics().staged, 0)
})
