import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { type Client, type Reply, sha256Of } from './client.ts'
import { openNode } from './test-node.ts'

const RACERS = 10

const bodies: { name: string; size: number; chunked: boolean }[] = [
  { name: 'inside the record', size: 200, chunked: false },
  { name: 'just larger than a record holds', size: 64 * 1024 + 1, chunked: false },
  { name: 'of 3 MiB', size: 3 * 1024 * 1024, chunked: false },
  { name: 'of 3 MiB without a length', size: 3 * 1024 * 1024, chunked: true },
]

t.test('of ten racing creates exactly one wins, and its bytes are the file', async t => {
  const { client } = await openNode(t)
  for (const body of bodies) {
    for (let round = 0; round < 3; round++) {
      const path = `race/${body.name} ${round}`
      const { replies, winner } = await race(client, path, body)
      t.same(statuses(replies), [201, ...Array(RACERS - 1).fill(409)], path)
      for (const reply of replies.filter(reply => reply.status === 409)) {
        t.match(reply.json(), { error: { code: 'FILE_EXISTS', retryable: false } })
      }
      const digest = await client.digest(path)
      t.match(digest, { status: 200, sha256: winner }, 'the file is the winner')
    }
  }
})

t.test('of ten racing If-Match replaces exactly one wins, and its bytes are the file', async t => {
  const { client } = await openNode(t)
  for (const body of bodies) {
    const path = `replace/${body.name}`
    let etag = String((await client.put(path, 'first')).json().etag)
    for (let round = 0; round < 3; round++) {
      const { replies, winner } = await race(client, path, body, { 'if-match': etag })
      t.same(statuses(replies), [200, ...Array(RACERS - 1).fill(412)], path)
      const receipt = replies.find(reply => reply.status === 200)?.json()
      const digest = await client.digest(path)
      t.match(digest, { status: 200, sha256: winner, etag: receipt?.etag }, 'the file is the winner')
      t.not(receipt?.etag, etag, 'a new version has a new ETag')
      etag = String(receipt?.etag)
    }
  }
})

t.test('racing overwrites all succeed, one after the other, and the last one stays whole', async t => {
  const { client } = await openNode(t)
  const size = 2 * 1024 * 1024
  const contents = Array.from({ length: RACERS }, () => randomBytes(size))
  const replies = await Promise.all(
    contents.map(content => client.put('over', content, { query: '?overwrite=true' })),
  )
  t.same(statuses(replies), [...Array(RACERS - 1).fill(200), 201])
  t.equal(new Set(replies.map(reply => reply.json().etag)).size, RACERS, 'each write is a version of its own')
  const digest = await client.digest('over')
  const last = replies.findIndex(reply => reply.json().etag === digest.etag)
  t.equal(digest.sha256, sha256Of(contents[last] ?? ''), 'the version that is shown has its own bytes')
})

t.test('racing removes and creates never answer both ways', async t => {
  const { client } = await openNode(t)
  for (let round = 0; round < 5; round++) {
    await client.put('gone', `round ${round}`)
    const replies = await Promise.all(
      Array.from({ length: RACERS }, () => client.send('DELETE', '/remove/gone')),
    )
    t.same(statuses(replies), [204, ...Array(RACERS - 1).fill(404)])
  }
})

async function race(
  client: Client,
  path: string,
  body: { size: number; chunked: boolean },
  headers: Record<string, string> = {},
): Promise<{ replies: Reply[]; winner: string | undefined }> {
  const contents = Array.from({ length: RACERS }, () => randomBytes(body.size))
  const replies = await Promise.all(
    contents.map(content =>
      client.put(path, body.chunked ? Readable.from(halves(content)) : content, { headers }),
    ),
  )
  const content = contents[replies.findIndex(reply => reply.status < 300)]
  return { replies, winner: content && sha256Of(content) }
}

function halves(content: Uint8Array): Uint8Array[] {
  const middle = content.length >> 1
  return [content.subarray(0, middle), content.subarray(middle)]
}

function statuses(replies: Reply[]): number[] {
  return replies.map(reply => reply.status).sort()
}
