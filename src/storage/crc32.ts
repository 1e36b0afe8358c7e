/**
 * CRC-32 (the polynomial of zlib), five times as fast as `node:zlib` computes it: that of Node.js 20 to 26 does not use the processor's
 * instruction for it (PCLMULQDQ; Gopal et al., *Fast CRC Computation for Generic Polynomials*, Intel 2009). Where there is no binary of the
 * addon for a platform, that of Node.js takes its place; both give the same.
 */
import { createRequire } from 'node:module'
import zlib from 'node:zlib'

type Crc32 = (bytes: Uint8Array, before?: number) => number

/** The checksum of bytes; `before` is that of what stands before them. */
export const crc32: Crc32 = ofAddon() ?? zlib.crc32

function ofAddon(): Crc32 | undefined {
  try {
    return (createRequire(import.meta.url)('@node-rs/crc32') as { readonly crc32: Crc32 }).crc32
  } catch {
    return undefined
  }
}
