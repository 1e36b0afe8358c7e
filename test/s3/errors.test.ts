import t from 'tap'
import { ERROR_CODES, type ErrorCode, StoreError } from '../../src/errors.ts'
import {
  asS3Error,
  errorDocument,
  errorElement,
  notImplemented,
  S3_STATUS,
  S3Error,
} from '../../src/s3/errors.ts'

t.test('every error of the store has an answer in S3', async t => {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[]
  const answers = Object.fromEntries(codes.map(code => [code, asS3Error(new StoreError(code, 'a message'))]))
  t.match(answers, {
    FILE_NOT_FOUND: { code: 'NoSuchKey' },
    FILE_EXISTS: { code: 'PreconditionFailed' },
    PRECONDITION_FAILED: { code: 'PreconditionFailed' },
    INVALID_PATH: { code: 'InvalidArgument' },
    FILE_TOO_LARGE: { code: 'EntityTooLarge' },
    UNAVAILABLE: { code: 'ServiceUnavailable', headers: { 'retry-after': '1' } },
    INDETERMINATE: { code: 'ServiceUnavailable' },
    OVERLOADED: { code: 'SlowDown' },
    DISK_FULL: { code: 'InsufficientStorage' },
    CORRUPT: { code: 'InternalError' },
    INTERNAL: { code: 'InternalError' },
  })
  for (const { code } of Object.values(answers)) t.ok(S3_STATUS[code] >= 400, code)
})

t.test('when to come back is handed on', async t => {
  const error = asS3Error(new StoreError('OVERLOADED', 'later', { retryAfterSeconds: 7 }))
  t.equal(error.headers['retry-after'], '7')
})

t.test('what is not ours is told to nobody', async t => {
  const error = asS3Error(new TypeError('secret detail'))
  t.equal(error.code, 'InternalError')
  t.notMatch(error.message, /secret/)
  t.match(error.cause, { message: 'secret detail' })
  const own = new S3Error('NoSuchUpload', 'gone')
  t.equal(asS3Error(own), own)
})

t.test('a refusal as a document', async t => {
  t.equal(
    errorDocument(notImplemented('tags'), '/a&b', 'ID'),
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NotImplemented</Code><Message>This store has no tags.</Message>' +
      '<Resource>/a&amp;b</Resource><RequestId>ID</RequestId></Error>',
  )
  t.equal(
    errorElement(new S3Error('NoSuchKey', 'no')).xml,
    '<Error><Code>NoSuchKey</Code><Message>no</Message></Error>',
  )
})
