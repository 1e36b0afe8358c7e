import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { residentBytesDuring } from './harness.ts'
import { openNode } from './test-node.ts'

/** Small enough for every test run; `LARGE_BYTES=1073741824 npx tap test/e2e/memory.test.ts` is the promised GiB. */
const LARGE_BYTES = Number(process.env.LARGE_BYTES ?? 256 * 1024 * 1024)

/**
 * Far less than the file, whatever its size, bytes. Most of it is what V8 takes for new objects: 256 MiB and 1 GiB move a fresh node by
 * the same 75 MiB with Node.js 24, and by less than 64 MiB with 20.
 */
const MOVED_BYTES_MAX = 96 * 1024 * 1024

t.test('the memory of a node does not grow with the size of a file, in and out', async t => {
  const { node, client } = await openNode(t)
  // The first requests load and compile code; that is not what a large file costs.
  await client.put('warm', 'up')
  await client.digest('warm')

  const source = largeBody()
  const into = await residentBytesDuring(node.pid, async () => {
    const reply = await client.put('large', source.body)
    t.equal(reply.status, 201)
    t.match(reply.json(), { size: LARGE_BYTES, sha256: source.sha256() })
  })
  const out = await residentBytesDuring(node.pid, async () => {
    t.match(await client.digest('large'), { status: 200, size: LARGE_BYTES, sha256: source.sha256() })
  })
  for (const [name, { before, peak }] of Object.entries({ into, out })) {
    const moved = `${mebibytes(LARGE_BYTES)} MiB ${name}: ${mebibytes(before)} to ${mebibytes(peak)} MiB`
    t.ok(peak - Math.min(before, into.before) < MOVED_BYTES_MAX, moved)
  }
})

t.test('a reader that stands still does not fill the memory of the node', async t => {
  const { node, client } = await openNode(t)
  const source = largeBody()
  t.equal((await client.put('large', source.body)).status, 201)
  const reading = await residentBytesDuring(node.pid, async () => {
    const replies = await Promise.all(Array.from({ length: 8 }, () => fetch(`${node.url}/get/large`)))
    const readers = replies.map(reply => reply.body?.getReader())
    for (const reader of readers) t.ok((await reader?.read())?.value, 'bytes come')
    // Nothing to wait for: the condition is that nothing happens. Sampling goes on meanwhile.
    await new Promise(resolve => setTimeout(resolve, 500))
    for (const reader of readers) await reader?.cancel()
  })
  const moved = `8 standing readers: ${mebibytes(reading.before)} to ${mebibytes(reading.peak)} MiB`
  t.ok(reading.peak - reading.before < MOVED_BYTES_MAX, moved)
})

/** LARGE_BYTES in chunks that differ from each other, hashed as they are handed out. */
function largeBody(): { readonly body: Readable; sha256(): string } {
  const hash = createHash('sha256')
  let digest: string | undefined
  function* chunks(): Iterable<Uint8Array> {
    const chunk = Buffer.alloc(256 * 1024, 'altered-chord ')
    for (let at = 0; at < LARGE_BYTES; at += chunk.length) {
      const part = Buffer.from(chunk.subarray(0, Math.min(chunk.length, LARGE_BYTES - at)))
      part.writeUInt32BE(at >>> 8)
      hash.update(part)
      yield part
    }
  }
  return {
    body: Readable.from(chunks(), { objectMode: false }),
    sha256: () => {
      digest ??= hash.digest('hex')
      return digest
    },
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
