/**
 * What a record of another node has to look like, and the names, hashes and versions that messages are made of.
 */
import * as is from '../../peer/shape.ts'
import type { Identifier } from '../../ring/identifier.ts'
import { PATH_BYTES_MAX, type PathName, parsePathName } from '../../ring/path-name.ts'
import { trashedAt } from '../../ring/trash-path.ts'
import {
  BLOCK_BYTES,
  type BlobId,
  type Body,
  type ETag,
  type FileMeta,
  INLINE_BYTES_MAX,
  type UserMeta,
  type Version,
} from '../../storage/record.ts'
import { isTrashName } from '../../storage/trash-name.ts'
import { isUserMeta } from '../../storage/user-meta.ts'
import type { Condition } from '../replication.ts'
import {
  type ChainRecord,
  type Decided,
  type IdempotencyKey,
  type Intent,
  type KeyOutcome,
  type MoveDecision,
  OUTCOMES_PER_PATH_MAX,
  type Remembered,
  type RequestId,
} from './chain-record.ts'

/** Characters of a nodeId (32 in use), and of the names made of one, a boot and some counters. */
export const NODE_ID_LENGTH_MAX = 64
export const NAME_LENGTH_MAX = 180

/** An epoch is kept in 32 bits. */
export const EPOCH_MAX = 2 ** 32 - 1

/** Characters of a media type, and of an Idempotency-Key with its fingerprint: more than any endpoint lets in. */
const TEXT_LENGTH_MAX = 4096

/** A write's own history is 8 long; more is kept from no version of this program. */
const HISTORY_LENGTH_MAX = 64

/** Names in the trash of one path: at most 16 are in use. */
export const TRASH_LENGTH_MAX = 64

export const requestId = is.text<RequestId>(NAME_LENGTH_MAX, 1)
export const identifier = is.matching<Identifier>(/^[0-9a-f]{40}$/)
export const sha256 = is.matching(/^[0-9a-f]{64}$/)
/** It becomes the name of a file. */
export const blobId = is.matching<BlobId>(/^[0-9a-f]{32}$/)
/** The path of a file, or that of a trashed version. */
export const path: is.Shape<PathName> = value => {
  if (typeof value !== 'string') return false
  const trashed = trashedAt(value)
  return trashed === undefined ? isUserPath(value) : isUserPath(trashed.path) && isTrashName(trashed.name)
}

function isUserPath(value: string): boolean {
  if (value.length > PATH_BYTES_MAX) return false
  try {
    return parsePathName(value) === value
  } catch {
    return false
  }
}

export const version = is.object<Version>({ epoch: is.integer(0, EPOCH_MAX), seq: is.integer() })
const content = is.either(
  is.object<{ inline: Uint8Array }>({ inline: is.bytes(INLINE_BYTES_MAX) }),
  is.object<{ blobId: BlobId }>({ blobId }),
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
  user: is.absentOr<UserMeta>(isUserMeta),
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
  file: is.undefinedOr(is.object({ size: is.integer(), sha256: is.text(64) })),
  decidedAtMs: is.absentOr(is.finite),
  noSource: is.absentOr(is.flag),
  move: is.absentOr(
    is.object<MoveDecision>({
      moveId: requestId,
      source: path,
      refusal: is.absentOr(is.oneOf('condition', 'yielded', 'key-reused', 'too-many-keys')),
      settled: is.absentOr(is.flag),
    }),
  ),
})
export const condition: is.Shape<Condition> = is.either(
  is.oneOf('none', 'absent', 'exists'),
  is.object({ etags: is.list(is.text<ETag>(TEXT_LENGTH_MAX)) }),
)
const decided = is.object<Decided>({ version, requestId })
const remembered = is.object<Remembered>({ version, requestId, replaced: is.absentOr(is.flag) })
export const intent = is.object<Intent>({
  moveId: requestId,
  destination: path,
  destinationVersion: version,
  condition: is.absentOr(condition),
  key: is.absentOr(key),
})
export const record = is.both(
  is.object<ChainRecord>({
    path,
    position: identifier,
    version,
    body: is.undefinedOr(body),
    meta: is.undefinedOr(meta),
    written: is.undefinedOr(decided),
    writtenAtMs: is.finite,
    history: is.list(remembered, HISTORY_LENGTH_MAX),
    historyFloor: version,
    intent: is.undefinedOr(intent),
    outcomes: is.list(outcome, OUTCOMES_PER_PATH_MAX),
    movesFloor: is.absentOr(version),
    trash: is.absentOr(is.list(isTrashName, TRASH_LENGTH_MAX)),
  }),
  value => {
    const { body, meta, written, intent } = value as ChainRecord
    const hasFile = body !== undefined
    // A tombstone has none of them, and nothing that is not there is moved.
    return hasFile === (meta !== undefined) && hasFile === (written !== undefined) && (hasFile || !intent)
  },
)
