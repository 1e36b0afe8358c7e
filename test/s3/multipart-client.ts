/**
 * The calls of a multipart upload of /bucket/key, for tests.
 */
import { type S3Node, textsOf } from './s3-node.ts'

/** The least that a part which is not the last may have. */
export const PART = Buffer.alloc(5 * 1024 * 1024, '0123456789')

/** Begins an upload of /bucket/key; the result is its id. */
export async function begin({ ask }: S3Node, headers: Record<string, string> = {}): Promise<string> {
  const { text } = await ask({ method: 'POST', path: '/bucket/key', query: { uploads: '' }, headers })
  return textsOf(text, 'UploadId')[0] as string
}

/** Sends a part. */
export function part(
  { ask }: S3Node,
  uploadId: string,
  partNumber: number | string,
  body: Buffer | string,
  headers: Record<string, string> = {},
) {
  return ask({
    method: 'PUT',
    path: '/bucket/key',
    query: { uploadId, partNumber: String(partNumber) },
    headers,
    body,
  })
}

/** Completes an upload of parts, given by number and ETag. */
export function complete(
  { ask }: S3Node,
  uploadId: string,
  parts: readonly (readonly [number, string])[],
  headers: Record<string, string> = {},
) {
  const lines = parts.map(
    ([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`,
  )
  const body = `<CompleteMultipartUpload>${lines.join('')}</CompleteMultipartUpload>`
  return ask({ method: 'POST', path: '/bucket/key', query: { uploadId }, headers, body })
}
