import t from 'tap'
import { runServer } from './running-server.ts'

t.test('the contract of the pairs names what the endpoints take and answer', async t => {
  const { server } = await runServer(t)
  const { paths } = (await server.inject('/openapi.json')).json()
  const fields = (url: string, method: string) =>
    paths[url][method].responses[200].content['application/json'].schema.required
  t.same(fields('/kv', 'post'), ['key', 'value', 'status'])
  t.same(fields('/kv/{key}', 'get'), ['key', 'value', 'status'])
  t.same(fields('/kv/{key}', 'delete'), ['key', 'value', 'status'])
  t.same(fields('/insert/{key}/{value}', 'post'), ['key', 'value', 'message'])
  t.same(fields('/query/{key}', 'get'), ['key', 'value', 'message'])
  t.same(fields('/delete/{key}', 'delete'), ['key', 'value', 'message'])
  t.ok(paths['/kv'].post.responses[200].content['application/json'].schema.properties.receipt)
  t.ok(paths['/kv'].post.responses[413], 'a value may be too large')
  t.ok(paths['/kv/{key}'].get.responses[404], 'a key may have no pair')
})
