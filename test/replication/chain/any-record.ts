/**
 * Arbitrary records of chain replication for property tests.
 */
import fc from 'fast-check'
import type { ChainRecord, RequestId } from '../../../src/replication/chain/chain-record.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { BlobId, Body } from '../../../src/storage/record.ts'
import { path } from './bench.ts'

export const NAMES = Array.from({ length: 12 }, (_, name) => path(`p${name}`))

const PLAIN = { noNullPrototype: true } as const
const anyVersion = fc.record({ epoch: fc.integer({ min: 1, max: 9 }), seq: fc.nat(1000) }, PLAIN)
const anyId = fc.constantFrom('n/1.a/r1', 'n/1.a/r2').map(text => text as RequestId)
const anyDecided = fc.record({ version: anyVersion, requestId: anyId }, PLAIN)
const anyRemembered = fc.record(
  { version: anyVersion, requestId: anyId, replaced: fc.boolean() },
  { requiredKeys: ['version', 'requestId'], ...PLAIN },
)

const anyBody: fc.Arbitrary<Body> = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map(bytes => ({
    size: bytes.length,
    sha256: 'ab'.repeat(32),
    blockChecksums: bytes.length === 0 ? [] : [7],
    content: { inline: Buffer.from(bytes) },
  })),
  fc.constantFrom('a', 'b').map(digit => ({
    size: 100_000,
    sha256: 'cd'.repeat(32),
    blockChecksums: [4_000_000_000],
    content: { blobId: digit.repeat(32) as BlobId },
  })),
)

const anyKey = fc.record(
  {
    key: fc.string({ minLength: 1, maxLength: 5 }),
    fingerprint: fc.string({ maxLength: 5 }),
    expiresAtMs: fc.nat(),
  },
  PLAIN,
)

/** Of a path with its position; a tombstone or a file, with everything that a record can carry. */
export function anyRecordAt(name: ChainRecord['path']): fc.Arbitrary<ChainRecord> {
  return fc
    .record(
      {
        version: anyVersion,
        body: fc.option(anyBody, { nil: undefined }),
        mediaType: fc.constantFrom('', 'text/plain'),
        written: anyDecided,
        writtenAtMs: fc.nat(),
        history: fc.array(anyRemembered, { maxLength: 8 }),
        historyFloor: anyVersion,
        movesFloor: anyVersion,
        intent: fc.option(
          fc.record(
            {
              moveId: anyId,
              destination: fc.constantFrom(...NAMES),
              destinationVersion: anyVersion,
              condition: fc.constantFrom('none' as const, 'absent' as const),
              key: anyKey,
            },
            PLAIN,
          ),
          { nil: undefined },
        ),
        outcomes: fc.array(
          fc.tuple(anyKey, anyVersion, fc.boolean()).map(([key, version, replaced]) => ({
            ...key,
            version,
            refused: false,
            replaced,
            file: replaced ? { size: 5, sha256: 'ef' } : undefined,
            ...(replaced && { decidedAtMs: 7 }),
            ...(key.key < 'm' && { move: { moveId: 'n/1.a/r1' as RequestId, source: path('p1') } }),
          })),
          { maxLength: 3 },
        ),
      },
      PLAIN,
    )
    .map(({ mediaType, body, written, writtenAtMs, ...rest }) => ({
      ...rest,
      path: name,
      position: identifierOfPath(name),
      body,
      meta: body && { mediaType },
      written: body && written,
      writtenAtMs: body === undefined ? 0 : writtenAtMs,
    }))
}

export const anyRecord = fc.constantFrom(...NAMES).chain(anyRecordAt)
