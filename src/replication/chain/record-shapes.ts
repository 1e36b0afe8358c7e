/**
 * What a record of another node has to look like, and the names, hashes and versions that messages are made of.
 */
import * as is from '../../peer/shape.ts'
import { PATH_BYTES_MAX, parsePathName } from '../../ring/path-name.ts'
import {
  BLOCK_BYTES,
  type Body,
  type FileMeta,
  INLINE_BYTES_MAX,
  type Version,
} from '../../storage/record.ts'
import { isUserMeta } from '../../storage/user-meta.ts'
import type {
  ChainRecord,
  IdempotencyKey,
  Intent,
  KeyOutcome,
  MoveDecision,
  Remembered,
} from './chain-record.ts'
import { OUTCOMES_PER_PATH_MAX } from './chain-record.ts'

/** Characters of a nodeId (32 in use), and of the names made of one, a boot and some counters. */
export const NODE_ID_LENGTH_MAX = 64
export const NAME_LENGTH_MAX = 180

/** An epoch is kept in 32 bits. */
export const EPOCH_MAX = 2 ** 32 - 1

/** Characters of a media type, and of an Idempotency-Key with its fingerprint: more than any door lets in. */
const TEXT_LENGTH_MAX = 4096

/** A write's own history is 8 long; more is kept from no version of this program. */
const HISTORY_LENGTH_MAX = 64

export const nodeId = is.text(NODE_ID_LENGTH_MAX, 1)
export const name = is.text(NAME_LENGTH_MAX, 1)
export const identifier = is.matching(/^[0-9a-f]{40}$/)
export const sha256 = is.matching(/^[0-9a-f]{64}$/)
/** It becomes the name of a file. */
export const blobId = is.matching(/^[0-9a-f]{32}$/)
export function isPath(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > PATH_BYTES_MAX) return false
  try {
    return parsePathName(value) === value
  } catch {
    return false
  }
}

export const version = is.object<Version>({ epoch: is.integer(0, EPOCH_MAX), seq: is.integer() })
const content = is.either(
  is.object<{ inline: Uint8Array }>({ inline: is.bytes(INLINE_BYTES_MAX) }),
  is.object({ blobId }),
)
export const body = is.both(
  is.object<Body>({
    size: is.integer(),
    sha256,
    blockChecksums: is.list(is.integer(0, EPOCH_MAX)),
    content,
  }),
  value => {
    const { size, blockChecksums, content } = value as Body
    const fits = !('inline' in content) || content.inline.length === size
    return fits && blockChecksums.length === Math.ceil(size / BLOCK_BYTES)
  },
)
export const meta = is.object<FileMeta>({
  mediaType: is.text(TEXT_LENGTH_MAX),
  user: is.absentOr(isUserMeta),
})
const keyFields = {
  key: is.text(TEXT_LENGTH_MAX),
  fingerprint: is.text(TEXT_LENGTH_MAX),
  expiresAtMs: is.finite,
}
export const key = is.object<IdempotencyKey>(keyFields)
const outcome = is.object<KeyOutcome>({
  ...keyFields,
  version,
  refused: is.flag,
  replaced: is.flag,
  file: is.absentOr(is.object({ size: is.integer(), sha256: is.text(64) })),
  decidedAtMs: is.absentOr(is.finite),
  noSource: is.absentOr(is.flag),
  move: is.absentOr(
    is.object<MoveDecision>({
      moveId: name,
      source: isPath,
      refusal: is.absentOr(is.oneOf('condition', 'yielded', 'key-reused', 'too-many-keys')),
      settled: is.absentOr(is.flag),
    }),
  ),
})
export const condition = is.either(
  is.oneOf('none', 'absent', 'exists'),
  is.object({ etags: is.list(is.text(TEXT_LENGTH_MAX)) }),
)
const decided = is.object({ version, requestId: name })
const remembered = is.object<Remembered>({ version, requestId: name, replaced: is.absentOr(is.flag) })
export const intent = is.object<Intent>({
  moveId: name,
  destination: isPath,
  destinationVersion: version,
  condition: is.absentOr(condition),
  key: is.absentOr(key),
})
export const record = is.both(
  is.object<ChainRecord>({
    path: isPath,
    position: identifier,
    version,
    body: is.absentOr(body),
    meta: is.absentOr(meta),
    written: is.absentOr(decided),
    writtenAtMs: is.finite,
    history: is.list(remembered, HISTORY_LENGTH_MAX),
    historyFloor: version,
    intent: is.absentOr(intent),
    outcomes: is.list(outcome, OUTCOMES_PER_PATH_MAX),
    movesFloor: is.absentOr(version),
  }),
  value => {
    const { body, meta, written, intent } = value as ChainRecord
    const hasFile = body !== undefined
    // A tombstone has none of them, and nothing that is not there is moved.
    return hasFile === (meta !== undefined) && hasFile === (written !== undefined) && (hasFile || !intent)
  },
)
