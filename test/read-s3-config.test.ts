import t from 'tap'
import { type Flags, readNodeConfig } from '../src/read-config.ts'
import { parsePort } from '../src/read-s3-config.ts'

const read = (flags: Flags, environment: Record<string, string> = {}) =>
  readNodeConfig({ memory: true, port: '5000', ...flags }, environment).s3

t.test('without a key there is no endpoint', async t => {
  t.equal(read({}), undefined)
  for (const flags of [{ s3Port: '9000' }, { s3Domain: 'a' }, { s3CorsOrigin: '*' }])
    t.throws(() => read(flags), { code: 'INVALID_REQUEST', message: /needs --s3-key/ })
})

t.test('keys come from flags, a variable or a file, and can be several', async t => {
  const two = [
    { id: 'a', secret: 'b/+=', readOnly: false },
    { id: 'c', secret: 'd', readOnly: true },
  ]
  t.same(read({ s3Key: ['a:b/+=', 'c:d:ro'] }), { port: 6000, keys: two, domains: [], corsOrigins: [] })
  t.same(read({}, { ALTERED_CHORD_S3_KEY: 'a:b/+=,c:d:ro' })?.keys, two)
  const folder = t.testdir({ keys: 'a:b/+=\nc:d:ro\n' })
  t.same(read({}, { ALTERED_CHORD_S3_KEY_FILE: `${folder}/keys` })?.keys, two)
})

t.test('port, names and origins', async t => {
  const s3 = read({
    s3Key: 'a:b',
    s3Port: '0',
    s3Domain: ['S3.example.com', 'b'],
    s3CorsOrigin: 'https://a.example',
  })
  t.match(s3, { port: 0, domains: ['s3.example.com', 'b'], corsOrigins: ['https://a.example'] })
  t.equal(read({ s3Key: 'a:b', port: '0' })?.port, 0)
})

t.test('each refusal, without the secret in it', async t => {
  const rows: [Flags, RegExp][] = [
    [{ s3Key: 'hidden' }, /not ID:SECRET/],
    [{ s3Key: 'a:hidden:rw' }, /not ID:SECRET/],
    [{ s3Key: 'a b:hidden' }, /not ID:SECRET/],
    [{ s3Key: ',' }, /no key/],
    [{ s3Key: ['a:hidden', 'a:other'] }, /S3 key a twice/],
    [{ s3Key: 'a:hidden', s3Port: '70000' }, /is a number from 0 to 65535/],
    [{ s3Key: 'a:hidden', s3Port: '5000' }, /choose one with --s3-port/],
    [{ s3Key: 'a:hidden', port: '65000' }, /choose one with --s3-port/],
    [{ s3Key: 'a:hidden', s3Domain: 'a_b' }, /a name is as in/],
    [{ s3Key: 'a:hidden', s3CorsOrigin: 'example.com' }, /an origin is/],
    [
      { s3Key: 'a:hidden', host: '0.0.0.0', token: 'x'.repeat(16), secret: 'x'.repeat(16) },
      /secret of the S3 key a has 6 characters; beyond loopback/,
    ],
  ]
  for (const [flags, message] of rows) {
    t.throws(() => read(flags), { code: 'INVALID_REQUEST', message }, String(message))
    try {
      read(flags)
    } catch (error) {
      t.notMatch((error as Error).message, /hidden/)
    }
  }
  t.equal(parsePort({ text: '65535', label: 'x' }), 65535)
})
