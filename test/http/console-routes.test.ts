import t from 'tap'
import { codeOf, runServer } from './running-server.ts'

const BROWSER = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' }

t.test('a browser at / is sent to the console, a program sees what it saw before', async t => {
  const { server } = await runServer(t)
  for (const url of ['/', '/console']) {
    const reply = await server.inject({ url, headers: BROWSER })
    t.match(reply, { statusCode: 302, headers: { location: '/console/' } }, url)
  }
  t.equal(codeOf(await server.inject('/')), 'ROUTE_NOT_FOUND')
  t.equal(codeOf(await server.inject({ url: '/', headers: { accept: '*/*' } })), 'ROUTE_NOT_FOUND')
  t.equal(codeOf(await server.inject({ method: 'POST', url: '/', headers: BROWSER })), 'ROUTE_NOT_FOUND')
  t.equal(codeOf(await server.inject({ url: '/nothing', headers: BROWSER })), 'ROUTE_NOT_FOUND')
})

t.test('the page needs no token, and its policy lets nothing run but its own files', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w'.repeat(24) } })
  const page = await server.inject({ url: '/console/', headers: BROWSER })
  t.equal(page.statusCode, 200)
  const policy = String(page.headers['content-security-policy'])
  for (const part of ["default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"])
    t.match(policy, part)
  t.notMatch(policy, /unsafe|\*|https?:/)
  t.notMatch(page.body, /<script>|<style|\son\w+=|\sstyle=/, 'no script or style inside the page')
  t.match(page.headers, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
  const again = await server.inject({
    url: '/console/',
    headers: { 'if-none-match': String(page.headers.etag) },
  })
  t.equal(again.statusCode, 304)
  t.equal(codeOf(await server.inject('/access')), 'UNAUTHORIZED')
})

t.test('its files come as what they are, compressed, and nothing else comes', async t => {
  const { server } = await runServer(t)
  const types: [string, RegExp][] = [
    ['main.js', /^(?:text|application)\/javascript/],
    ['preact.js', /^(?:text|application)\/javascript/],
    ['console.css', /^text\/css/],
    ['icon.svg', /^image\/svg\+xml/],
  ]
  for (const [name, type] of types) {
    const plain = await server.inject(`/console/${name}`)
    t.match(plain.headers['content-type'], type, name)
    const small = await server.inject({ url: `/console/${name}`, headers: { 'accept-encoding': 'gzip' } })
    if (plain.rawPayload.length > 1024) t.ok(small.rawPayload.length < plain.rawPayload.length / 2, name)
  }
  for (const name of ['tsconfig.json', 'preact.d.ts', 'nothing.js', '%2e%2e/http/gate.ts', 'a/b'])
    t.equal((await server.inject(`/console/${name}`)).statusCode, 404, name)
  t.equal((await server.inject({ method: 'HEAD', url: '/console/' })).body, '')
})

t.test('a token is told what it may do', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w'.repeat(24), readOnly: 'r'.repeat(24) } })
  const ask = async (token: string) =>
    (await server.inject({ url: '/access', headers: { authorization: `Bearer ${token.repeat(24)}` } })).json()
  t.same(await ask('w'), { access: 'write', tokens: true, trash: true })
  t.same(await ask('r'), { access: 'read', tokens: true, trash: true })
  const open = await runServer(t)
  t.same((await open.server.inject('/access')).json(), { access: 'write', tokens: false, trash: true })
})

t.test('a page of this origin gets no stored file as a script', async t => {
  const { server } = await runServer(t)
  await server.inject({
    method: 'PUT',
    url: '/put/a.js',
    payload: '1',
    headers: { 'content-type': 'text/javascript' },
  })
  const as = (destination: string, site: string) =>
    server.inject({ url: '/get/a.js', headers: { 'sec-fetch-dest': destination, 'sec-fetch-site': site } })
  for (const destination of ['script', 'worker', 'serviceworker', 'style', 'object'])
    t.equal(codeOf(await as(destination, 'same-origin')), 'FORBIDDEN', destination)
  for (const destination of ['image', 'iframe', 'document', 'empty'])
    t.equal((await as(destination, 'same-origin')).statusCode, 200, destination)
  t.equal((await as('script', 'cross-site')).statusCode, 200, 'who serves scripts from a store may')
})
