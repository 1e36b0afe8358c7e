/**
 * What the operations of S3 stand on.
 */
import type { Env } from '../env.ts'
import type { FileService } from '../files/file-service.ts'
import type { Connections } from '../http/connections.ts'
import type { UploadSlots } from '../http/upload-slots.ts'
import type { Buckets } from './buckets.ts'
import type { Uploads } from './uploads.ts'

export interface S3Components {
  readonly env: Env
  /** It shows what is reserved. */
  readonly files: FileService
  readonly buckets: Buckets
  readonly uploads: Uploads
  readonly connections: Connections
  readonly slots: UploadSlots
  /** Bytes of one object. */
  readonly fileBytesMax: number
  /** Lower-case, without the dot; undefined accepts every key. */
  readonly allowedExtensions: readonly string[] | undefined
}
