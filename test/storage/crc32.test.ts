import { randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import t from 'tap'
import { crc32 } from '../../src/storage/crc32.ts'

t.test(
  'it is the checksum that Node.js computes, of all of it at once or of one piece after the other',
  t => {
    t.equal(crc32(Buffer.from('123456789')), 0xcb_f4_39_26, 'the check value of CRC-32/ISO-HDLC')
    t.equal(crc32(new Uint8Array()), 0)
    const memory = randomBytes(300_000)
    for (const length of [0, 1, 15, 63, 64, 65, 1023, 4096, 65_537, 200_001]) {
      for (const at of [0, 1, 7]) {
        const bytes = new Uint8Array(memory.buffer, memory.byteOffset + at, length)
        t.equal(crc32(bytes), zlib.crc32(bytes), `${length} bytes from ${at}`)
        const half = length >> 1
        t.equal(
          crc32(bytes.subarray(half), crc32(bytes.subarray(0, half))),
          zlib.crc32(bytes),
          'in two pieces',
        )
      }
    }
    t.end()
  },
)
