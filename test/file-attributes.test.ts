import { lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { setTime } from '../src/cli/target-folder.ts'
import {
  attributesInMeta,
  attributesOf,
  decodeTarget,
  encodeTarget,
  isAsSaid,
  isSameTime,
  metaOfAttributes,
} from '../src/file-attributes.ts'

t.test('modes and times come back from metadata', async t => {
  t.same(metaOfAttributes({ mode: 0o755, mtimeNs: 1_577_934_245_123_456_789n }), {
    mode: '0755',
    mtime: '1577934245.123456789',
  })
  t.same(metaOfAttributes({ mode: 0, mtimeNs: -1n }), { mode: '0000', mtime: '-0.000000001' })
  const law = fc.property(
    fc.integer({ min: 0, max: 0o777 }),
    fc.bigInt(-(10n ** 20n), 10n ** 20n),
    (mode, mtimeNs) => {
      t.same(attributesInMeta(metaOfAttributes({ mode, mtimeNs })), { mode, mtimeNs })
    },
  )
  fc.assert(law)
  t.equal(attributesOf({ mode: 0o104755n, mtimeNs: 1n }).mode, 0o755, 'a set-user-id bit does not travel')
})

t.test('metadata that makes no sense says nothing', async t => {
  for (const meta of [
    {},
    { mode: '9', mtime: 'now' },
    { mode: '04755', mtime: '1.1234567890' },
    { mtime: '' },
  ])
    t.same(attributesInMeta(meta), {}, JSON.stringify(meta))
  t.same(attributesInMeta({ mtime: '12.5', mode: '644' }), { mtimeNs: 12_500_000_000n, mode: 0o644 })
})

t.test('times are the same within what can be set', async t => {
  t.ok(isSameTime(1000n, 2000n))
  t.notOk(isSameTime(1000n, 2001n))
  t.notOk(isSameTime(undefined, 1n))
  const there = { mode: 0o644, mtimeNs: 5_000_000n }
  t.ok(isAsSaid(there, {}))
  t.ok(isAsSaid(there, { mode: 0o644 }))
  t.notOk(isAsSaid(there, { mode: 0o600 }))
  t.notOk(isAsSaid(there, { mtimeNs: 1n }))
})

t.test('the time of a link is its own', async t => {
  const folder = t.testdir({ file: 'x' })
  const link = join(folder, 'link')
  symlinkSync('file', link)
  const before = lstatSync(join(folder, 'file'), { bigint: true }).mtimeNs
  const mtimeNs = 1_577_934_245_123_456_789n
  await setTime(link, mtimeNs)
  t.ok(isSameTime(lstatSync(link, { bigint: true }).mtimeNs, mtimeNs))
  t.equal(lstatSync(join(folder, 'file'), { bigint: true }).mtimeNs, before)
  t.equal(readFileSync(link, 'utf8'), 'x')
})

t.test('a target of any bytes fits into a header field and comes back', async t => {
  const law = fc.property(fc.uint8Array({ minLength: 1 }), bytes => {
    fc.pre(!bytes.includes(0))
    const text = encodeTarget(bytes)
    t.match(text, /^[!-~]+$/)
    t.ok(decodeTarget(text).equals(bytes))
  })
  fc.assert(law)
  for (const text of ['', 'a%', 'a b', 'a%00', '%zz', 'é'])
    t.throws(() => decodeTarget(text), { message: /makes no sense/ }, text)
})
