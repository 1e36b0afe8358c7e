import t from 'tap'
import { ERROR_STATUS } from '../../src/http/error-reply.ts'
import { runServer } from './running-server.ts'

type Operation = {
  summary?: string
  parameters?: { name: string; in: string }[]
  responses: Record<string, object>
  security?: []
}
type Document = { openapi: string; paths: Record<string, Record<string, Operation>>; security?: object[] }

t.test('every route is in the contract, with its parameters and what it can answer', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w' } })
  const answer = await server.inject({ url: '/openapi.json', headers: { authorization: 'Bearer w' } })
  const document = answer.json() as Document
  t.equal(document.openapi, '3.1.0')
  const operations = Object.entries(document.paths).flatMap(([url, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ url, method, operation })),
  )
  const described = [
    '/copy',
    '/copy/{source}/{destination}',
    '/delete/{key}',
    '/download/{path}',
    '/exists/{path}',
    '/get/{path}',
    '/health',
    '/insert/{key}/{value}',
    '/kv',
    '/kv/{key}',
    '/list/{prefix}',
    '/metrics',
    '/move/{source}/{destination}',
    '/openapi.json',
    '/put/{path}',
    '/query/{key}',
    '/ready',
    '/remove/{path}',
    '/status',
    '/upload/{folder}',
  ]
  for (const url of described) t.ok(document.paths[url], url)
  for (const { url, method, operation } of operations) {
    const name = `${method} ${url}`
    t.ok(operation.summary, name)
    for (const [, parameter] of url.matchAll(/\{(\w+)\}/g)) {
      t.ok(
        operation.parameters?.some(({ name, in: where }) => name === parameter && where === 'path'),
        name,
      )
    }
    const statuses = Object.keys(operation.responses).map(Number)
    t.ok(
      statuses.some(status => status < 300),
      `${name} can succeed`,
    )
    for (const status of statuses.filter(status => status >= 400)) {
      t.ok(Object.values(ERROR_STATUS).includes(status), `${name}: ${status}`)
    }
  }
  t.same(document.paths['/health']?.get?.security, [])
  const put = document.paths['/put/{path}']?.put
  t.match(
    put?.parameters?.map(({ name }) => name),
    ['path', 'overwrite', 'If-Match', 'If-None-Match'],
  )
  t.same(Object.keys(put?.responses ?? {}), [
    '200',
    '201',
    '400',
    '401',
    '403',
    '404',
    '408',
    '409',
    '412',
    '413',
    '415',
    '422',
    '429',
    '431',
    '500',
    '503',
    '507',
  ])
})

t.test('without tokens the contract asks for none', async t => {
  const { server } = await runServer(t)
  t.equal((await server.inject('/openapi.json')).json().security, undefined)
})
