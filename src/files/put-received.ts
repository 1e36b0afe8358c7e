/**
 * What happens to several files that came together: as far as possible all of them are stored or none is.
 */
import { errorCode, StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import type { FileMeta } from '../storage/record.ts'
import type { FileService, ReceivedBody, WriteOptions } from './file-service.ts'
import { keyOfPart } from './idempotency.ts'
import { type Receipt, receiptOf } from './receipt.ts'

export interface ReceivedFile {
  readonly path: PathName
  readonly body: ReceivedBody
  readonly meta: FileMeta
  /** It replaces no file, whatever the condition for all says. */
  readonly createsOnly?: boolean
}

/**
 * Stores bodies that are received, in order, and drops those that it can't store. Every condition is checked before
 * the first file is stored; a file that another writer creates between that check and its turn stops the rest, and the
 * error then names what is stored already (taking it back could take back what others have read).
 * @throws StoreError FILE_EXISTS, PRECONDITION_FAILED, DISK_FULL, IDEMPOTENCY_KEY_REUSED.
 */
export async function putReceived(
  files: FileService,
  received: readonly ReceivedFile[],
  options: WriteOptions,
): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  const left = [...received]
  try {
    for (const [i, file] of received.entries())
      await files.refuseEarly(file.path, optionsOf(options, i, file))
    for (const [i, file] of received.entries()) {
      left.shift()
      const { path, body, meta } = file
      const written = await files.commitReceived(path, body, { ...optionsOf(options, i, file), meta })
      receipts.push(receiptOf(written, files.keeping))
    }
    return receipts
  } catch (error) {
    await Promise.all(left.map(({ body }) => files.dropReceived(body)))
    throw receipts.length === 0 ? error : afterSome(error, receipts)
  }
}

function optionsOf(
  { condition, idempotencyKey: key }: WriteOptions,
  index: number,
  { createsOnly }: ReceivedFile,
): WriteOptions {
  return {
    condition: createsOnly ? 'absent' : condition,
    idempotencyKey: key === undefined ? undefined : keyOfPart(key, index),
  }
}

function afterSome(error: unknown, receipts: readonly Receipt[]): unknown {
  const code = errorCode(error)
  if (code === undefined) return error
  const { message, path } = error as StoreError
  const stored = receipts.map(receipt => JSON.stringify(receipt.path)).join(', ')
  return new StoreError(code, `${message} Stored before it: ${stored}.`, {
    cause: error,
    ...(path !== undefined && { path }),
  })
}
