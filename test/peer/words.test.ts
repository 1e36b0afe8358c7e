import t from 'tap'
import { linesOf, wordsOf } from '../../src/peer/words.ts'

async function* chunksOf(...texts: (string | Uint8Array)[]) {
  for (const text of texts) yield Buffer.from(text as string)
}

async function all(words: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = []
  for await (const word of words) list.push(word)
  return list
}

t.test('words come back as they were said, wherever the bytes were cut', async t => {
  async function* said() {
    yield { path: 'ä/€' }
    yield { n: 1 }
  }
  const lines = (await all(linesOf(said()))).join('')
  const bytes = Buffer.from(lines)
  for (let cut = 0; cut <= bytes.length; cut++) {
    t.same(await all(wordsOf(chunksOf(bytes.subarray(0, cut), bytes.subarray(cut)))), [
      { path: 'ä/€' },
      { n: 1 },
    ])
  }
})

t.test('what is no line of JSON, is cut off or never ends is refused', async t => {
  for (const text of ['{\n', '{"a":1}', `${'x'.repeat(70_000)}`]) {
    await t.rejects(all(wordsOf(chunksOf(text))), { code: 'INVALID_REQUEST' })
  }
})
