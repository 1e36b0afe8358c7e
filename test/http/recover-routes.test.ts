import t from 'tap'
import { codeOf, runServer } from './running-server.ts'

t.test('whoever may write sees the plan, and forces nothing without naming it', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w', readOnly: 'r' } })
  const ask = (token: string, payload?: string) =>
    server.inject({
      method: 'POST',
      url: '/recover',
      headers: { host: 'localhost', authorization: `Bearer ${token}` },
      ...(payload !== undefined && { payload }),
    })
  t.equal((await ask('r')).statusCode, 403)
  const plan = await ask('w')
  t.match(plan.json(), { plan: /^[0-9a-f]{16}$/, silent: [], ranges: [] })
  for (const body of ['{}', '{"force":true}', 'yes', '{"force":"x","more":1}']) {
    t.equal(codeOf(await ask('w', body)), 'INVALID_REQUEST', body)
  }
  t.equal(codeOf(await ask('w', '{"force":"0123456789abcdef"}')), 'PRECONDITION_FAILED')
  t.same((await ask('w', JSON.stringify({ force: plan.json().plan }))).json(), { recovered: [] })
})
