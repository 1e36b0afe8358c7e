import { Buffer } from 'node:buffer'
import t from 'tap'
import {
  ALGORITHMS,
  algorithmOf,
  announcedChecksums,
  BodyChecksums,
  checksumElement,
  checksumHeader,
  isChecksum,
  refuseOther,
} from '../../src/s3/checksums.ts'

/** Of the text 123456789: the check values of the catalogue of CRC algorithms, and of sha1sum and sha256sum. */
const CHECKS = {
  CRC32: Buffer.from('cbf43926', 'hex'),
  CRC32C: Buffer.from('e3069283', 'hex'),
  CRC64NVME: Buffer.from('ae8b14860a799888', 'hex'),
  SHA1: Buffer.from('f7c3bc1d808e04732adf679965ccc34ca7ae3441', 'hex'),
  SHA256: Buffer.from('15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225', 'hex'),
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function passed(sums: BodyChecksums, ...texts: string[]): Promise<string> {
  let text = ''
  for await (const piece of sums.passing(pieces(...texts))) text += Buffer.from(piece)
  return text
}

t.test('every algorithm has its check value, whole and in pieces', async t => {
  for (const algorithm of ALGORITHMS) {
    const value = CHECKS[algorithm].toString('base64')
    for (const texts of [['123456789'], ['1', '2345', '', '6789']]) {
      const sums = new BodyChecksums(algorithm, undefined)
      t.equal(await passed(sums, ...texts), '123456789')
      t.same(await sums.finish(), { algorithm, value })
    }
    t.ok(isChecksum(algorithm, value))
    t.notOk(isChecksum(algorithm, value.slice(1)))
    t.notOk(isChecksum(algorithm, ''))
    t.equal(algorithmOf(algorithm.toLowerCase()), algorithm)
  }
  t.throws(() => algorithmOf('MD6'), { code: 'InvalidRequest' })
  t.equal(checksumHeader('CRC64NVME'), 'x-amz-checksum-crc64nvme')
  t.equal(checksumElement('SHA1'), 'ChecksumSHA1')
})

t.test('a body of nothing', async t => {
  const sums = new BodyChecksums('CRC64NVME', undefined)
  await passed(sums)
  t.same(await sums.finish(), { algorithm: 'CRC64NVME', value: 'AAAAAAAAAAA=' })
  t.equal(await new BodyChecksums(undefined, undefined).finish(), undefined)
})

t.test('an MD5 is compared', async t => {
  const right = Buffer.from('25f9e794323b453885f5181f1b624d0b', 'hex')
  const sums = new BodyChecksums(undefined, right)
  await passed(sums, '123456789')
  t.equal(await sums.finish(), undefined)
  const wrong = new BodyChecksums(undefined, right)
  await passed(wrong, '12345678')
  await t.rejects(wrong.finish(), { code: 'BadDigest' })
})

t.test('what headers announce', async t => {
  const announced = (headers: Record<string, string>) => announcedChecksums(name => headers[name])
  t.same(announced({}), { checksum: undefined, trailing: undefined, md5: undefined })
  t.same(announced({ 'x-amz-checksum-crc32': 'AAAAAA==' }).checksum, {
    algorithm: 'CRC32',
    value: 'AAAAAA==',
  })
  t.equal(announced({ 'x-amz-trailer': 'x-amz-checksum-CRC64NVME' }).trailing, 'CRC64NVME')
  t.equal(announced({ 'content-md5': 'JfnnlDI7RTiF9RgfG2JNCw==' }).md5?.length, 16)
  const rows: [Record<string, string>, string][] = [
    [{ 'x-amz-checksum-crc32': 'AAAA' }, 'InvalidRequest'],
    [{ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-sha1': 'AAAAAA==' }, 'InvalidRequest'],
    [{ 'x-amz-trailer': 'x-amz-meta-a' }, 'InvalidRequest'],
    [{ 'x-amz-trailer': 'x-amz-checksum-crc32', 'x-amz-checksum-crc32': 'AAAAAA==' }, 'InvalidRequest'],
    [{ 'content-md5': 'x' }, 'InvalidDigest'],
    [{ 'content-md5': '' }, 'InvalidDigest'],
  ]
  for (const [headers, code] of rows)
    t.throws(() => announced(headers), { code: code }, JSON.stringify(headers))
})

t.test('another checksum than announced is refused', async t => {
  const computed = { algorithm: 'CRC32', value: 'AAAAAA==' } as const
  refuseOther(computed, undefined)
  refuseOther(computed, 'AAAAAA==')
  t.throws(() => refuseOther(computed, 'AAAAAQ=='), { code: 'BadDigest', message: /CRC32/ })
  t.throws(() => refuseOther(undefined, 'AAAAAQ=='), { code: 'BadDigest' })
})
