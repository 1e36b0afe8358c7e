import { Readable } from 'node:stream'
import t from 'tap'
import { Exchange, exactly, signalOf, type WireRequest } from '../../src/client/exchange.ts'
import type { Route } from '../../src/client/routes.ts'
import { realEnv } from '../../src/env.ts'
import { json, scriptedServer, silence } from './scripted-server.ts'

type Test = { teardown(end: () => unknown): unknown }

const request: WireRequest = { method: 'GET', target: '/get/a' }

function exchange(t: Test, init: { token?: string; answerTimeoutMs?: number } = {}) {
  const { token, answerTimeoutMs = 5000 } = init
  const made = new Exchange({ env: realEnv() }, { token, answerTimeoutMs, idleTimeoutMs: 5000 })
  t.teardown(() => made.close())
  return made
}

function route(origin: string, change: Partial<Route> = {}): Route {
  return { origin, named: true, range: undefined, headers: {}, others: false, beganMs: 0, ...change }
}

t.test('the token and the headers of the route go with the request', async t => {
  const { origin, seen } = await scriptedServer(t, [json(404, {})])
  const to = route(origin, { named: false, headers: { 'ring-epoch': '7' } })
  const reply = await exchange(t, { token: 'x' }).try(
    { ...request, headers: { range: 'bytes=0-1' } },
    to,
    () => {},
  )
  t.equal(reply.statusCode, 404, 'whatever it says')
  await reply.body.dump()
  t.match(seen[0]?.headers, { authorization: 'Bearer x', 'ring-epoch': '7', range: 'bytes=0-1' })
})

t.test('it is told when a stream is begun, and only then', async t => {
  const { origin } = await scriptedServer(t, [json(200, {})])
  let began = 0
  const put = { ...request, method: 'PUT', body: () => Readable.from([Buffer.from('x')]) } as const
  await t.rejects(exchange(t).try(put, route('http://127.0.0.1:1'), () => began++))
  t.equal(began, 0, 'there was no connection')
  const reply = await exchange(t).try(put, route(origin), () => began++)
  await reply.body.dump()
  t.equal(began, 1)
})

t.test(
  'a request that is answered at once by a node that is well has a shorter deadline where others are',
  async t => {
    const { origin } = await scriptedServer(t, [silence])
    const deadlines: unknown[] = []
    const { Agent } = await import('undici')
    class Watched extends Agent {
      override dispatch(...[options, handler]: Parameters<InstanceType<typeof Agent>['dispatch']>): boolean {
        deadlines.push(options.headersTimeout)
        return super.dispatch({ ...options, headersTimeout: 20 }, handler)
      }
    }
    const dispatcher = new Watched()
    const watched = new Exchange(
      { env: realEnv(), dispatcher },
      { token: undefined, answerTimeoutMs: 60_000, idleTimeoutMs: 5000 },
    )
    t.teardown(() => watched.close())
    const cases: [WireRequest, Route][] = [
      [{ ...request, quick: true }, route(origin, { others: true })],
      [{ ...request, quick: true }, route(origin)],
      [request, route(origin, { others: true })],
      [{ ...request, answerTimeoutMs: 90_000 }, route(origin)],
    ]
    for (const [one, to] of cases) await t.rejects(watched.try(one, to, () => {}))
    t.same(deadlines, [5_000, 60_000, 60_000, 90_000])
  },
)

t.test('the signal of a call', async t => {
  const { signal } = new AbortController()
  t.same(Object.keys(signalOf({})), [])
  t.equal(signalOf({ signal }).signal, signal)
})

t.test('a body is what was announced, or it is not sent to its end', async t => {
  const taken = async (pieces: readonly string[], size: number) => {
    const seen: string[] = []
    async function* source() {
      for (const piece of pieces) yield Buffer.from(piece)
    }
    try {
      for await (const chunk of exactly(source(), size)) seen.push(Buffer.from(chunk).toString())
    } catch (error) {
      return [seen.join(''), (error as { code?: string }).code]
    }
    return [seen.join('')]
  }
  t.same(await taken(['ab', 'c'], 3), ['abc'])
  t.same(await taken([], 0), [''])
  t.same(await taken(['ab', 'c', 'd'], 3), ['ab', 'INVALID_REQUEST'], 'the last byte is held back')
  t.same(await taken(['abcd'], 3), ['', 'INVALID_REQUEST'])
  t.same(await taken(['ab', 'c'], 4), ['ab', 'INVALID_REQUEST'])
})
