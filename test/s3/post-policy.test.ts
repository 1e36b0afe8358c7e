import t from 'tap'
import { checkPolicy, parsePolicy } from '../../src/s3/post-policy.ts'

const NOW = Date.parse('2026-01-30T12:00:00Z')
const encoded = (policy: unknown) => Buffer.from(JSON.stringify(policy)).toString('base64')
const policyOf = (conditions: unknown, expiration: unknown = '2026-01-30T13:00:00.000Z') =>
  encoded({ expiration, conditions })
const check = (conditions: unknown, fields: Record<string, string>, nowMs = NOW) =>
  checkPolicy(parsePolicy(policyOf(conditions)), new Map(Object.entries(fields)), nowMs)

t.test('every field of a form is held to a condition', async t => {
  const conditions = [
    { bucket: 'b' },
    ['starts-with', '$key', 'user/'],
    ['eq', '$Content-Type', 'image/png'],
    ['content-length-range', 1, '10'],
  ]
  const form = { bucket: 'b', key: 'user/a', 'content-type': 'image/png' }
  t.same(check(conditions, form), { min: 1, max: 10 })
  const free = { policy: 'x', 'x-amz-signature': 'x', 'x-ignore-this': 'x' }
  t.same(check(conditions, { ...form, ...free }), { min: 1, max: 10 })
  for (const other of [
    { bucket: 'c' },
    { key: 'other' },
    { 'content-type': 'image/png2' },
    { acl: 'private' },
  ])
    t.throws(() => check(conditions, { ...form, ...other }), { code: 'AccessDenied' }, JSON.stringify(other))
  t.throws(
    () => check(conditions, { bucket: 'b', key: 'user/a' }),
    { code: 'AccessDenied' },
    'a field is missing',
  )
  t.throws(() => check(conditions.slice(1), form), {
    code: 'AccessDenied',
    message: /Extra input fields: bucket/,
  })
  t.throws(() => check(conditions, form, NOW + 3600_001), { code: 'AccessDenied', message: /expired/ })
  t.same(
    check(
      [
        ['content-length-range', 0, 5],
        ['content-length-range', 2, 9],
      ],
      {},
    ),
    { min: 2, max: 5 },
  )
})

t.test('a policy that is none is named as such', async t => {
  const bad = [
    'no base64 of JSON',
    encoded([]),
    encoded({ conditions: [{ bucket: 'b' }] }),
    encoded({ EXPIRATION: '2026-01-30T13:00:00Z', conditions: [{ bucket: 'b' }] }),
    policyOf([{ bucket: 'b' }], 'tomorrow'),
    policyOf([{ bucket: 'b' }], '2026-13-30T13:00:00Z'),
    policyOf([]),
    policyOf('x'),
    policyOf([{}]),
    policyOf([7]),
    policyOf([{ bucket: 7 }]),
    policyOf([['eq', '$key']]),
    policyOf([['eq', 'key', 'x']]),
    policyOf([['like', '$key', 'x']]),
    policyOf([['content-length-range', 5, 4]]),
    policyOf([['content-length-range', -1, 4]]),
    policyOf([['content-length-range', 'a', 4]]),
    policyOf(Array.from({ length: 201 }, () => ({ bucket: 'b' }))),
  ]
  for (const text of bad)
    t.throws(
      () => parsePolicy(text),
      { code: 'InvalidPolicyDocument' },
      Buffer.from(text, 'base64').toString(),
    )
})
