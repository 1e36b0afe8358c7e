import t from 'tap'
import { addressOfTarget, isLoopback, parseTarget } from '../../src/ring/address.ts'

t.test('a port, HOST:PORT or a URL', async t => {
  const rows: [string, string | undefined][] = [
    ['5000', '127.0.0.1:5000'],
    ['a:80', 'a:80'],
    ['[::1]:80', '[::1]:80'],
    ['http://a', 'a:80'],
    ['https://a/', 'a:443'],
    ['https://a:1', 'a:1'],
    ['65536', undefined],
    ['a', undefined],
    ['a:99999', undefined],
    ['http://a/b', undefined],
    ['http://u:p@a', undefined],
    ['http://a?x', undefined],
    ['', undefined],
  ]
  for (const [text, address] of rows) {
    const target = parseTarget(text)
    t.equal(target && addressOfTarget(target), address, text)
  }
})

t.test('loopback is what only this machine reaches', async t => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost', 'LOCALHOST'])
    t.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.evil.example', 'localhost.example', '']) {
    t.notOk(isLoopback(host), host)
  }
})
