/**
 * What a person is told of a write.
 */
import type { Receipt } from '../client/client.ts'
import { formatQuantity } from '../quantity.ts'

/** One line for a person: where it is, how large it is, which version. */
export function receiptLine(receipt: Receipt): string {
  return `${receipt.path}  ${formatQuantity(receipt.size, 'bytes')}  ${receipt.etag}`
}
