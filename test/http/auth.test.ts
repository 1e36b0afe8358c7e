import t from 'tap'
import { authorizer } from '../../src/http/auth.ts'

t.test('without tokens there is no check', async t => {
  t.equal(authorizer({}), undefined)
})

t.test('tokens open what they are for', async t => {
  const check = authorizer({ readWrite: 'w'.repeat(32), readOnly: 'r'.repeat(32) })
  t.ok(check)
  const write = `Bearer ${'w'.repeat(32)}`
  const read = `bearer  ${'r'.repeat(32)}`
  t.doesNotThrow(() => check?.(undefined, 'open'))
  t.doesNotThrow(() => check?.(write, 'read'))
  t.doesNotThrow(() => check?.(write, 'write'))
  t.doesNotThrow(() => check?.(read, 'read'))
  t.throws(() => check?.(read, 'write'), { code: 'FORBIDDEN' })
  for (const shown of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Basic dzp3',
    `Bearer ${'w'.repeat(31)}`,
    `${write} x`,
  ]) {
    t.throws(() => check?.(shown, 'read'), { code: 'UNAUTHORIZED' }, String(shown))
  }
})

t.test('a read-only token alone leaves nobody to write', async t => {
  const check = authorizer({ readOnly: 'r' })
  t.throws(() => check?.('Bearer r', 'write'), { code: 'FORBIDDEN' })
})

t.test('while one token takes the place of another, both count', t => {
  const check = authorizer({ readWrite: `${'n'.repeat(32)},${'o'.repeat(32)}`, readOnly: 'r1,r2' })
  for (const token of ['n'.repeat(32), 'o'.repeat(32)])
    t.doesNotThrow(() => check?.(`Bearer ${token}`, 'write'))
  for (const token of ['r1', 'r2']) {
    t.doesNotThrow(() => check?.(`Bearer ${token}`, 'read'))
    t.throws(() => check?.(`Bearer ${token}`, 'write'), { code: 'FORBIDDEN' })
  }
  t.throws(() => check?.('Bearer r1,r2', 'read'), { code: 'UNAUTHORIZED' })
  t.end()
})
