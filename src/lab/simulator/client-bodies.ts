/**
 * The bodies that clients of whole nodes send, and what they get back: whatever is read has to be, byte by byte, what somebody has
 * sent.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Timers } from '../../env.ts'
import { errorCode } from '../../errors.ts'
import type { Found, Replication } from '../../replication/replication.ts'
import type { PathName } from '../../ring/path-name.ts'
import { BLOCK_BYTES, type Body, type FileRecord } from '../../storage/record.ts'
import { InvariantBroken } from './invariant-broken.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Bytes of large bodies, at most; few are of more than one block. */
const LARGE_BYTES = 4_000
const HUGE_SHARE = 1 / 64

/** In how many pieces a body is sent, at most, and the ms between two of them. */
const PIECES_MAX = 6
const SLOW_SHARE = 0.3
const SLOW_MS = 30

/** How often a file is looked for anew whose body was replaced before it was read (file-service.ts). */
const TRIES_MAX = 3

/** The bytes of a body that the workload has drawn; its hash there is only a name. */
export function bytesOf({ sha256: name, content }: Pick<Body, 'sha256' | 'content'>): Buffer {
  const drawn = createHash('sha256').update(name).digest()
  const small = 1 + ((drawn[0] as number) % 40)
  const isHuge = (drawn[1] as number) / 256 < HUGE_SHARE
  const large = isHuge ? BLOCK_BYTES + drawn.readUInt16LE(2) : 200 + (drawn.readUInt16LE(2) % LARGE_BYTES)
  return Buffer.alloc('blobId' in content ? large : small, drawn)
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A client sends a body, some of them slowly. */
export async function* sending(
  bytes: Uint8Array,
  { timers, random }: { readonly timers: Pick<Timers, 'sleep'>; readonly random: SeededRandom },
): AsyncGenerator<Uint8Array> {
  const count = Math.min(bytes.length, random.int(1, PIECES_MAX))
  const isSlow = random.chance(SLOW_SHARE)
  const size = Math.ceil(bytes.length / count)
  for (let at = 0; at < bytes.length; at += size) {
    if (isSlow) await timers.sleep(random.between(0, SLOW_MS))
    yield bytes.subarray(at, at + size)
  }
}

/**
 * The file at a path, whose bytes were read and are right.
 * @throws StoreError when they can't be had at the moment; InvariantBroken.
 */
export async function findAndRead(replication: Replication, path: PathName): Promise<Found> {
  for (let tries = 1; ; tries++) {
    const found = await replication.find(path)
    const { record } = found
    if (record === undefined) return found
    try {
      await assertBytes(replication, record)
      return found
    } catch (error) {
      // Another version has taken its place meanwhile.
      if (errorCode(error) !== 'FILE_NOT_FOUND' || tries === TRIES_MAX) throw error
    }
  }
}

async function assertBytes(replication: Replication, record: FileRecord): Promise<void> {
  const body = await replication.read(record)
  const pieces: Uint8Array[] = []
  for await (const piece of body instanceof Uint8Array ? [body] : body) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  if (bytes.length === record.body.size && sha256Of(bytes) === record.body.sha256) return
  throw new InvariantBroken(
    `${bytes.length} bytes of ${record.path} are read, and are not those of its record`,
    [record.path],
  )
}
