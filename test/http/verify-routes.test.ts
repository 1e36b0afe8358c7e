import t from 'tap'
import { runServer } from './running-server.ts'

t.test('everything is checked, for whoever may write', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w', readOnly: 'r' } })
  const ask = (token: string, url = '/verify') =>
    server.inject({ method: 'POST', url, headers: { host: 'localhost', authorization: `Bearer ${token}` } })
  t.equal((await ask('r')).statusCode, 403)
  t.equal((await ask('w', '/verify?deep=true')).statusCode, 400)
  const reply = await ask('w')
  t.equal(reply.statusCode, 200)
  t.match(reply.headers['content-type'], /^application\/x-ndjson/)
  t.equal(reply.body, '{"files":0,"bytes":0,"damaged":0,"done":true}\n')
})
