import t from 'tap'
import { isLocalHost, refuseCrossSite } from '../../src/http/cross-site.ts'

t.test('what no other page sent may pass', async t => {
  const host = 'localhost:5000'
  for (const headers of [
    {},
    { host },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-origin' },
    { host, origin: `http://${host}` },
    { host, origin: `https://${host}` },
  ]) {
    t.doesNotThrow(() => refuseCrossSite(headers), JSON.stringify(headers))
  }
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', host, origin: `http://${host}` },
    { 'sec-fetch-site': 'whatever' },
    { host, origin: 'http://evil.example' },
    { host, origin: 'http://localhost:3000' },
    { host, origin: 'null' },
    { host, origin: `ftp://${host}` },
    { origin: 'http://localhost:5000' },
  ]) {
    t.throws(() => refuseCrossSite(headers), { code: 'FORBIDDEN' }, JSON.stringify(headers))
  }
})

t.test('local names are addresses, localhost, and what the node is called', async t => {
  for (const host of [
    '127.0.0.1',
    '127.0.0.1:5000',
    '[::1]:5000',
    'localhost',
    'LOCALHOST:1',
    'a.localhost',
    '10.1.2.3:5',
  ]) {
    t.ok(isLocalHost(host, []), host)
  }
  for (const host of [
    'evil.example',
    'evil.example:5000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '',
  ]) {
    t.notOk(isLocalHost(host, []), host)
  }
  t.ok(isLocalHost('files.home:5000', ['files.home']))
})

t.test('a GET that changes something is no browser that hides where it comes from', async t => {
  const host = 'files.example:5000'
  const page = { host, 'user-agent': 'Mozilla/5.0 (X11)' }
  t.throws(() => refuseCrossSite(page, 'GET'), { code: 'FORBIDDEN' })
  t.throws(() => refuseCrossSite({ host, referer: `http://${host}/get/a.html` }, 'GET'), {
    code: 'FORBIDDEN',
  })
  t.doesNotThrow(() => refuseCrossSite({ ...page, 'sec-fetch-site': 'none' }, 'GET'))
  t.doesNotThrow(() => refuseCrossSite({ host, 'user-agent': 'curl/8.5' }, 'GET'))
  t.doesNotThrow(() => refuseCrossSite(page, 'POST'), 'a browser says the origin of a POST')
})
