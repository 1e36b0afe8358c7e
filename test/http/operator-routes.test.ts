import t from 'tap'
import { ADDRESS, runServer } from './running-server.ts'

t.test('health is open, everything else wants a token when there is one', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w', readOnly: 'r' } })
  t.equal((await server.inject('/health')).statusCode, 200)
  const endpoints: [string, 'GET' | 'PUT' | 'POST' | 'DELETE', boolean][] = [
    ['/ready', 'GET', false],
    ['/status', 'GET', false],
    ['/metrics', 'GET', false],
    ['/openapi.json', 'GET', false],
    ['/get/a', 'GET', false],
    ['/list', 'GET', false],
    ['/exists/a', 'GET', false],
    ['/put/a', 'PUT', true],
    ['/remove/a', 'DELETE', true],
    ['/copy/a/b', 'GET', true],
    ['/move/a/b', 'POST', true],
    ['/upload', 'POST', true],
    ['/lookup/a', 'GET', false],
    ['/network', 'GET', false],
    ['/overlay', 'GET', false],
    ['/join', 'POST', true],
    ['/depart', 'POST', true],
    ['/nix', 'GET', false],
  ]
  for (const [url, method, writes] of endpoints) {
    const none = await server.inject({ url, method })
    t.equal(none.statusCode, 401, url)
    t.match(none.headers['www-authenticate'], /^Bearer/)
    const read = await server.inject({ url, method, headers: { authorization: 'Bearer r' } })
    t.equal(read.statusCode === 403, writes, `${method} ${url} with the token that reads`)
    const write = await server.inject({ url, method, headers: { authorization: 'Bearer w' } })
    t.notOk([401, 403].includes(write.statusCode), `${method} ${url} with the token that writes`)
  }
})

t.test('status says what an operator asks', async t => {
  const { server } = await runServer(t)
  await server.inject({ method: 'PUT', url: '/put/a', payload: 'abc' })
  t.match((await server.inject('/status')).json(), {
    address: ADDRESS,
    version: '0.0.0-test',
    ready: true,
    files: 1,
    bytes: 3,
    staged: 0,
    durable: false,
    consistency: 'chain',
    network: { networkId: 'net-1', replicas: 3, nodes: { alive: 1, left: 0, dead: 0 }, suspects: [] },
    views: { held: 8, spare: 0, asHead: 8, asWitness: 0, notActive: 0, backFilling: 0 },
    replication: 'running',
    uploads: { receiving: 0, waiting: 0 },
    limits: { uploadsMax: 256 },
  })
  t.same((await server.inject('/ready')).json(), { status: 'ready' })
  t.equal((await server.inject('/ready?x')).statusCode, 400)
})

t.test('metrics are what was done', async t => {
  const { server } = await runServer(t)
  await server.inject({ method: 'PUT', url: '/put/secret-name', payload: 'abc' })
  await server.inject('/get/secret-name')
  await server.inject('/get/missing')
  await server.inject('/nix')
  const { body, headers } = await server.inject('/metrics')
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  for (const line of [
    'altered_chord_http_requests_total{endpoint="/put/*",status="201"} 1',
    'altered_chord_http_requests_total{endpoint="/get/*",status="200"} 1',
    'altered_chord_http_requests_total{endpoint="/get/*",status="404"} 1',
    'altered_chord_http_request_duration_seconds_count{endpoint="/get/*"} 2',
    'altered_chord_http_request_duration_seconds_bucket{endpoint="/get/*",le="+Inf"} 2',
    'altered_chord_files 1',
    'altered_chord_file_bytes 3',
  ]) {
    t.ok(body.includes(`${line}\n`), line)
  }
  t.match(body, /# TYPE altered_chord_http_request_duration_seconds histogram/)
  t.notMatch(body, /secret-name/, 'paths of users are no labels')
})
