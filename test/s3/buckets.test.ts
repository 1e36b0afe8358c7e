import t from 'tap'
import { nodeWithBucket, textsOf } from './s3-node.ts'

t.test('a first segment with files below it is a bucket', async t => {
  const { ask, url } = await nodeWithBucket(t)
  for (const path of ['photos/a.txt', 'No_Bucket/a.txt', 'top.txt', 'photos/b/c.txt'])
    t.equal((await fetch(`${url}/put/${path}`, { method: 'PUT', body: 'x' })).status, 201)
  const { text } = await ask({ path: '/' })
  t.same(textsOf(text, 'Name'), ['bucket', 'photos'])
  for (const date of textsOf(text, 'CreationDate')) t.ok(Date.parse(date) > Date.UTC(2020))
  t.same(textsOf((await ask({ path: '/photos' })).text, 'Key'), ['a.txt', 'b/c.txt'])
  t.equal((await ask({ path: '/photos/a.txt' })).text, 'x')
  await ask({ method: 'DELETE', path: '/photos/a.txt' })
  await ask({ method: 'DELETE', path: '/photos/b/c.txt' })
  t.equal((await ask({ path: '/photos' })).code, 'NoSuchBucket', 'nobody has created it')
})

t.test('what S3 keeps for itself is in no list of files', async t => {
  const { ask, url } = await nodeWithBucket(t)
  await ask({ method: 'POST', path: '/bucket/key', query: { uploads: '' } })
  const list = (await (await fetch(`${url}/list`)).json()) as { files: unknown[] }
  t.same(list.files, [])
  const levels = (await (await fetch(`${url}/list?delimiter=/`)).json()) as { prefixes: unknown[] }
  t.same(levels.prefixes, [])
})
