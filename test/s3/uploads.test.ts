import t from 'tap'
import { DONE_KEPT_MS, fingerprintOf, partPath, UPLOAD_KEPT_MS } from '../../src/s3/uploads.ts'
import { begin, complete, part } from './multipart-client.ts'
import { nodeWithBucket, textsOf } from './s3-node.ts'

const files = async (url: string) =>
  ((await (await fetch(`${url}/status`)).json()) as { files: number }).files

t.test('uploads that nobody completes go after a week, those that are done after a day', async t => {
  const node = await nodeWithBucket(t)
  const { url, clock, ask } = node
  const before = await files(url)
  const open = await begin(node)
  await part(node, open, 1, 'x')
  const done = await begin(node)
  const { headers } = await part(node, done, 1, 'x')
  await complete(node, done, [[1, headers.etag as string]])
  const repeat = () => complete(node, done, [[1, headers.etag as string]])
  t.equal((await repeat()).status, 200)

  clock.aheadMs += DONE_KEPT_MS + 60_000
  await begin(node)
  t.equal((await repeat()).code, 'NoSuchUpload')
  t.equal((await part(node, open, 1, 'x')).status, 200, 'the other one goes on')

  clock.aheadMs += UPLOAD_KEPT_MS
  await begin(node)
  t.equal((await part(node, open, 1, 'x')).code, 'NoSuchUpload')
  const last = textsOf((await ask({ path: '/bucket', query: { uploads: '' } })).text, 'UploadId')
  t.equal(last.length, 1, 'only the newest is left')
  t.equal(await files(url), before + 2, 'beside the object and that upload nothing is left')
})

t.test('names', async t => {
  t.equal(partPath({ id: 'abc' }, 7), '.altered-chord/s3/parts/abc/00007')
  t.not(fingerprintOf([{ number: 1, etag: 'a' }]), fingerprintOf([{ number: 1, etag: 'b' }]))
})
