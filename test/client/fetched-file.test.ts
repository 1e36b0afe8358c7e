import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { fetchFile } from '../../src/client/fetched-file.ts'
import { Transport } from '../../src/client/transport.ts'
import { realEnv } from '../../src/env.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { type Answer, hangUp, refusal, scriptedServer } from './scripted-server.ts'

type Test = { teardown(end: () => unknown): unknown }

const WHOLE = '0123456789'
const path = parsePathName('a')
const digest = `sha-256=:${createHash('sha256').update(WHOLE).digest('base64')}:`
const fields = { etag: '"1.1-x"', 'repr-digest': digest }

/** Promises the bytes from `first` to `last` and sends those up to `until`. */
function bytes(first: number, last: number, until = last + 1): Answer {
  const partial = first > 0 || last < WHOLE.length - 1
  return (_seen, response) => {
    const range = partial ? { 'content-range': `bytes ${first}-${last}/${WHOLE.length}` } : {}
    response.writeHead(partial ? 206 : 200, { ...fields, ...range, 'content-length': last - first + 1 })
    if (until > last) response.end(WHOLE.slice(first, last + 1))
    else response.write(WHOLE.slice(first, until), () => setImmediate(() => response.destroy()))
  }
}

async function fetcher(t: Test, answers: readonly Answer[]) {
  const { origin, seen } = await scriptedServer(t, answers)
  const env = { ...realEnv(), timers: { ...realEnv().timers, sleep: async () => {} } }
  const init = {
    token: undefined,
    answerTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    attemptsMax: 2,
    firstContactMs: 0,
    direct: true,
  }
  const transport = new Transport({ env }, { ...init, origin })
  t.teardown(() => transport.close())
  return { transport, seen }
}

t.test('a body whose connection breaks is read on in the same version', async t => {
  const { transport, seen } = await fetcher(t, [bytes(0, 9, 4), hangUp, bytes(4, 9, 7), bytes(7, 9)])
  const file = await fetchFile(transport, path, {})
  t.match(file, { size: 10, etag: fields.etag, path: 'a' })
  t.equal(await text(file.body), WHOLE)
  t.same(
    seen.map(({ headers }) => [headers.range, headers['if-match']]),
    [
      [undefined, undefined],
      ['bytes=4-9', fields.etag],
      ['bytes=4-9', fields.etag],
      ['bytes=7-9', fields.etag],
    ],
  )
})

t.test('so is a range', async t => {
  const { transport, seen } = await fetcher(t, [bytes(2, 8, 5), bytes(5, 8)])
  t.equal(await text((await fetchFile(transport, path, { range: { first: 2, last: 8 } })).body), '2345678')
  t.same(
    seen.map(({ headers }) => headers.range),
    ['bytes=2-8', 'bytes=5-8'],
  )
})

t.test('a file that was replaced meanwhile, and a rest that is another one, are refused', async t => {
  const replaced = await fetcher(t, [bytes(0, 9, 4), refusal(412, 'PRECONDITION_FAILED')])
  const first = await fetchFile(replaced.transport, path, {})
  await t.rejects(text(first.body), { code: 'PRECONDITION_FAILED' })
  const other = await fetcher(t, [bytes(0, 9, 4), bytes(0, 9)])
  const second = await fetchFile(other.transport, path, {})
  await t.rejects(text(second.body), { code: 'UNAVAILABLE', path: 'a' })
})

t.test('parts that do not fit together are not called good', async t => {
  const wrong: Answer = (_seen, response) =>
    response.writeHead(206, { ...fields, 'content-range': 'bytes 4-9/10', 'content-length': 6 }).end('xxxxxx')
  const { transport } = await fetcher(t, [bytes(0, 9, 4), wrong])
  await t.rejects(text((await fetchFile(transport, path, {})).body), { code: 'CORRUPT' })
})

t.test('a body that never gets on ends', async t => {
  const { transport, seen } = await fetcher(t, [bytes(0, 9, 4), bytes(4, 9, 4)])
  await t.rejects(text((await fetchFile(transport, path, {})).body), { code: 'UNAVAILABLE' })
  t.equal(seen.length, 5)
})

t.test('who stops reading ends it, without another request', async t => {
  const { transport, seen } = await fetcher(t, [bytes(0, 9, 4)])
  const { body } = await fetchFile(transport, path, {})
  for await (const _chunk of body) break
  t.ok(body.destroyed)
  t.equal(seen.length, 1)
})

t.test('who never begins to read lets the connection go', async t => {
  let resolve = () => {}
  const closed = new Promise<void>(then => {
    resolve = then
  })
  const endless: Answer = (_seen, response) => {
    response.writeHead(200, { ...fields, 'content-length': 10 }).write('0123')
    response.once('close', () => resolve())
  }
  const { transport } = await fetcher(t, [endless])
  const { body } = await fetchFile(transport, path, {})
  body.destroy()
  await closed
  t.pass('closed')
})
