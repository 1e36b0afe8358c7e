/**
 * Conditional writes by S3 that race at three nodes, and through crashes: of many that can't all win, exactly one does.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Cluster } from '../e2e/cluster.ts'
import { runningNetwork } from '../running-node.ts'
import { type Answer, ask, KEY_ID, SECRET, type Sent } from './s3-client.ts'
import { textsOf } from './s3-node.ts'

t.test('of 50 puts that create one key at three nodes exactly one is answered with 200', async t => {
  const nodes = await runningNetwork(t, 3, undefined, { s3Key: `${KEY_ID}:${SECRET}`, s3Port: '0' })
  const urls = nodes.map(({ node }) => node.s3Url as string)
  t.equal((await ask(urls[0] as string, { method: 'PUT', path: '/bucket' })).status, 200)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      ask(urls[i % 3] as string, {
        method: 'PUT',
        path: '/bucket/key',
        body: `writer ${i}`,
        headers: { 'if-none-match': '*' },
      }),
    ),
  )
  const won = answers.filter(({ status }) => status === 200)
  t.equal(won.length, 1)
  t.equal(answers.filter(({ code }) => code === 'PreconditionFailed').length, 49)
  const index = answers.findIndex(({ status }) => status === 200)
  for (const url of urls) t.equal((await ask(url, { path: '/bucket/key' })).text, `writer ${index}`)
})

const WRITERS = 8
const STEPS = 12

t.test('a counter that 8 writers keep with If-Match through two crashes', async t => {
  const cluster = await Cluster.start({ nodes: 3, flags: ['--s3-key', `${KEY_ID}:${SECRET}`] })
  t.teardown(() => cluster.close())
  const urls = cluster.nodes.map(({ port }) => `http://127.0.0.1:${port + 1000}`)

  /** Asks one node after the other until one answers; a write whose answer is lost may have happened. */
  async function answered(sent: Sent, from: number): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const url = urls[(from + tries) % urls.length] as string
      const answer = await ask(url, sent).catch(() => undefined)
      if (answer !== undefined && answer.status < 500) return answer
      if (sent.method === 'PUT') return answer ?? { status: 0, headers: {}, text: '', code: undefined }
      await delay(50)
    }
  }

  t.equal((await answered({ method: 'PUT', path: '/bucket' }, 0)).status, 200)
  t.equal((await answered({ method: 'PUT', path: '/bucket/counter', body: '' }, 0)).status, 200)

  // Each step writes a mark of its own, so that a writer whose answer was lost can see whether it has happened.
  async function step(mark: string, from: number): Promise<void> {
    for (;;) {
      const { text, headers } = await answered({ path: '/bucket/counter' }, from)
      if (text.includes(mark)) return
      const put = {
        method: 'PUT',
        path: '/bucket/counter',
        body: `${text}${mark}`,
        headers: { 'if-match': headers.etag as string },
      }
      if ((await answered(put, from)).status === 200) return
    }
  }

  let steps = 0
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let i = 0; i < STEPS; i++) {
      await step(`<${writer}.${i}>`, writer)
      steps++
    }
  })
  const crashes = (async () => {
    for (const [crash, node] of [1, 2].entries()) {
      while (steps < (WRITERS * STEPS * (crash + 1)) / 4) await delay(20)
      await cluster.kill(node)
      await cluster.restart(node)
    }
  })()
  await Promise.all([...writers, crashes])
  const { text } = await answered({ path: '/bucket/counter' }, 0)
  const marks = text.match(/<\d+\.\d+>/g) ?? []
  t.equal(marks.length, WRITERS * STEPS, 'every step once')
  t.equal(new Set(marks).size, WRITERS * STEPS)
  t.equal(marks.join(''), text)
})

t.test('two takers of a lock, as Terraform takes one', async t => {
  const nodes = await runningNetwork(t, 3, undefined, { s3Key: `${KEY_ID}:${SECRET}`, s3Port: '0' })
  const urls = nodes.map(({ node }) => node.s3Url as string)
  await ask(urls[0] as string, { method: 'PUT', path: '/bucket' })
  let holders = 0
  let most = 0
  const taker = async (url: string) => {
    for (let taken = 0; taken < 10; ) {
      const lock = { method: 'PUT', path: '/bucket/lock', body: 'mine', headers: { 'if-none-match': '*' } }
      if ((await ask(url, lock)).status !== 200) continue
      taken++
      most = Math.max(most, ++holders)
      await delay(1)
      holders--
      t.equal((await ask(url, { method: 'DELETE', path: '/bucket/lock' })).status, 204)
    }
  }
  await Promise.all(urls.slice(0, 2).map(taker))
  t.equal(most, 1)
  t.same(textsOf((await ask(urls[2] as string, { path: '/bucket' })).text, 'Key'), [])
})
