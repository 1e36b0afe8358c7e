/**
 * The errors of S3: each code with its status, how it looks on the wire, and which of them an error of this store is.
 * The codes are those of "Error responses" in the S3 API reference; clients match on them.
 */
import { errorCode, type StoreError } from '../errors.ts'
import { element, type Xml, xmlDocument } from './xml.ts'

/** Every code that this endpoint answers with, and its status. */
export const S3_STATUS = {
  AccessDenied: 403,
  AccessForbidden: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InsufficientStorage: 507,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartNumber: 416,
  InvalidPartOrder: 400,
  InvalidPolicyDocument: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidStorageClass: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedPOSTRequest: 400,
  MalformedXML: 400,
  MaxPostPreDataLengthExceeded: 400,
  MaxMessageLengthExceeded: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  MissingSecurityHeader: 400,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  OperationAborted: 409,
  PreconditionFailed: 412,
  RequestHeaderSectionTooLarge: 400,
  RequestTimeout: 400,
  RequestTimeTooSkewed: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  UnexpectedContent: 400,
  XAmzContentSHA256Mismatch: 400,
} as const satisfies Record<string, number>

export type S3Code = keyof typeof S3_STATUS

/** An answer of S3 that is a refusal. `message` is one sentence for a person. */
export class S3Error extends Error {
  override readonly name = 'S3Error'
  readonly code: S3Code
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: S3Code,
    message: string,
    init: { cause?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.headers = init.headers ?? {}
  }
}

/** What this endpoint does not have. It is said, so that nobody relies on what was never done. */
export function notImplemented(what: string): S3Error {
  return new S3Error('NotImplemented', `This store has no ${what}.`)
}

/** When nothing better is known, a client comes back after this many seconds. */
const RETRY_AFTER_SECONDS = 1

/** Whatever was thrown, as an answer of S3; what is not ours and no fault of the request is InternalError. */
export function asS3Error(thrown: unknown): S3Error {
  if (thrown instanceof S3Error) return thrown
  const code = errorCode(thrown)
  const { message } = thrown as Error
  const { retryAfterSeconds } = thrown as Partial<StoreError>
  const later = { 'retry-after': String(retryAfterSeconds ?? RETRY_AFTER_SECONDS) }
  switch (code) {
    case 'FILE_NOT_FOUND':
      return new S3Error('NoSuchKey', 'The specified key does not exist.', { cause: thrown })
    case 'FILE_EXISTS':
    case 'PRECONDITION_FAILED':
      return new S3Error('PreconditionFailed', 'At least one of the conditions did not hold.', {
        cause: thrown,
      })
    case 'INVALID_PATH':
      return new S3Error('InvalidArgument', message, { cause: thrown })
    case 'INVALID_REQUEST':
    case 'TYPE_NOT_ALLOWED':
    case 'PROTOCOL_UNSUPPORTED':
    case 'IDEMPOTENCY_KEY_REUSED':
      return new S3Error('InvalidRequest', message, { cause: thrown })
    case 'FILE_TOO_LARGE':
      return new S3Error('EntityTooLarge', message, { cause: thrown })
    case 'REQUEST_TIMEOUT':
      return new S3Error('RequestTimeout', message, { cause: thrown })
    case 'METHOD_NOT_ALLOWED':
      return new S3Error('MethodNotAllowed', message, { cause: thrown })
    case 'HEADERS_TOO_LARGE':
      return new S3Error('RequestHeaderSectionTooLarge', message, { cause: thrown })
    case 'METADATA_TOO_LARGE':
      return new S3Error('MetadataTooLarge', message, { cause: thrown })
    case 'RANGE_NOT_SATISFIABLE':
      return new S3Error('InvalidRange', message, { cause: thrown })
    case 'DISK_FULL':
      return new S3Error('InsufficientStorage', message, { cause: thrown })
    case 'OVERLOADED':
      return new S3Error('SlowDown', message, { cause: thrown, headers: later })
    case 'UNAVAILABLE':
    case 'INDETERMINATE':
    case 'NO_NETWORK':
      return new S3Error('ServiceUnavailable', message, { cause: thrown, headers: later })
    default:
      return new S3Error('InternalError', 'The node failed on this request; its log has the cause.', {
        cause: thrown,
      })
  }
}

/** A refusal as XML. */
export function errorElement({ code, message }: S3Error, about: readonly Xml[] = []): Xml {
  return element('Error', [element('Code', code), element('Message', message), ...about])
}

/** The body of a refusal. */
export function errorDocument(error: S3Error, resource: string, requestId: string): string {
  return xmlDocument(errorElement(error, [element('Resource', resource), element('RequestId', requestId)]))
}
