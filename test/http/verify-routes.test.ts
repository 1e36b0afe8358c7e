import t from 'tap'
import { runServer } from './running-server.ts'

t.test('everything is checked, for whoever may write', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w', readOnly: 'r' } })
  const ask = (token: string, url = '/verify') =>
    server.inject({ method: 'POST', url, headers: { host: 'localhost', authorization: `Bearer ${token}` } })
  t.equal((await ask('r')).statusCode, 403)
  t.equal((await ask('w', '/verify?deep=true')).statusCode, 400)
  t.match((await ask('w', '/verify?local=perhaps')).json(), { error: { code: 'INVALID_REQUEST' } })
  const reply = await ask('w', '/verify?local=true')
  t.equal(reply.statusCode, 200)
  t.match(reply.headers['content-type'], /^application\/x-ndjson/)
  t.equal(reply.body, '{"files":0,"bytes":0,"damaged":0,"done":true}\n')
})

t.test('the network is checked once at a time', async t => {
  const { server } = await runServer(t)
  const ask = () => server.inject({ method: 'POST', url: '/verify', headers: { host: 'localhost' } })
  const [first, second] = await Promise.all([ask(), ask()])
  const lines = (first?.body ?? '').trim().split('\n')
  t.match(JSON.parse(lines.at(-1) as string), {
    ranges: 8,
    rangesAll: 8,
    files: 0,
    damaged: 0,
    unhealed: 0,
    done: true,
  })
  t.equal(second?.statusCode, 429)
  t.match(second?.json(), { error: { code: 'OVERLOADED' } })
  t.equal((await ask()).statusCode, 200)
})
