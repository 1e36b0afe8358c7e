import t from 'tap'
import { merged } from '../../src/membership/merged.ts'

t.test('words of all come as they come, and one that fails ends alone', async t => {
  async function* counting(upTo: number) {
    for (let n = 1; n <= upTo; n++) yield n
  }
  async function* failing() {
    yield 7
    throw new Error('gone')
  }
  const seen = { a: [] as unknown[], b: [] as unknown[], c: [] as unknown[] }
  const streams = [
    ['a', counting(3)],
    ['b', failing()],
    ['c', counting(0)],
  ] as const
  for await (const { key, word, error } of merged(streams)) seen[key].push(word ?? (error as Error).message)
  t.same(seen, { a: [1, 2, 3], b: [7, 'gone'], c: [] })
})

t.test('whoever stops reading ends all of them', async t => {
  const ended: string[] = []
  async function* endless(name: string) {
    try {
      for (;;) yield name
    } finally {
      ended.push(name)
    }
  }
  for await (const { word } of merged([
    ['a', endless('a')],
    ['b', endless('b')],
  ])) {
    if (word === 'b') break
  }
  t.same(ended.sort(), ['a', 'b'])
})

t.test('nobody reads ahead of a slow reader', async t => {
  let made = 0
  async function* numbers() {
    for (;;) yield made++
  }
  let taken = 0
  for await (const { word } of merged([['a', numbers()]])) {
    taken++
    t.ok(made - (word ?? 0) <= 2)
    if (taken === 20) break
  }
})
