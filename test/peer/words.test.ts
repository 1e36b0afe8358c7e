import { Readable } from 'node:stream'
import t from 'tap'
import { linesOf, wordsOf } from '../../src/peer/words.ts'

const sign = (text: string, index: number) => `${index}${text.length}`

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
  const lines = (await all(linesOf(said(), sign))).join('')
  const bytes = Buffer.from(lines)
  for (let cut = 0; cut <= bytes.length; cut++) {
    t.same(await all(wordsOf(chunksOf(bytes.subarray(0, cut), bytes.subarray(cut)), sign)), [
      { path: 'ä/€' },
      { n: 1 },
    ])
  }
})

t.test('what is no line of JSON, is cut off or never ends is refused', async t => {
  for (const text of ['{\t01\n', '{"a":1}', `${'x'.repeat(70_000)}`]) {
    await t.rejects(all(wordsOf(chunksOf(text), sign)), { code: 'INVALID_REQUEST' })
  }
})

t.test('signed words come back in order and whole, or not at all', async t => {
  const said = [{ a: 1 }, { b: '\t' }]
  const lines: string[] = []
  for await (const line of linesOf(Readable.from(said), sign)) lines.push(line)
  const heard = async (these: readonly string[]) => {
    const words: unknown[] = []
    for await (const word of wordsOf(Readable.from(these.map(line => Buffer.from(line))), sign))
      words.push(word)
    return words
  }
  const [first = '', second = '', end = ''] = lines
  t.same(await heard(lines), said)
  for (const broken of [
    [first, second],
    [second, first, end],
    [first, end],
    [first, first, end],
    [first.replace('1', '2'), second.replace('b', 'ab'), end],
    ['{"a":1}\n', end],
  ])
    await t.rejects(heard(broken), { code: 'INVALID_REQUEST' }, JSON.stringify(broken))
})
