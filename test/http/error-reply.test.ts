import t from 'tap'
import { ERROR_CODES, type ErrorCode, StoreError } from '../../src/errors.ts'
import { asStoreError, ERROR_STATUS, errorReply, rawErrorReply } from '../../src/http/error-reply.ts'

t.test('every code has a status, and only what the server could not do is a 5xx', async t => {
  t.same(Object.keys(ERROR_STATUS).sort(), Object.keys(ERROR_CODES).sort())
  const ours: ErrorCode[] = ['INTERNAL', 'CORRUPT', 'NO_NETWORK', 'UNAVAILABLE', 'INDETERMINATE', 'DISK_FULL']
  for (const code of Object.keys(ERROR_STATUS) as ErrorCode[]) {
    t.equal(ERROR_STATUS[code] >= 500, ours.includes(code), code)
  }
})

t.test('every error is JSON of one shape', async t => {
  const error = new StoreError('FILE_EXISTS', 'It is there.', { path: 'é' })
  const { status, headers, text } = errorReply(error)
  t.equal(status, 409)
  t.same(JSON.parse(text), {
    error: { code: 'FILE_EXISTS', message: 'It is there.', path: 'é', retryable: false },
  })
  t.equal(headers['content-length'], String(Buffer.byteLength(text)))
  t.notOk('path' in JSON.parse(errorReply(new StoreError('INTERNAL', 'x')).text).error)
})

t.test('some say when to come back, or what to show', async t => {
  t.equal(errorReply(new StoreError('OVERLOADED', 'x', { retryAfterSeconds: 7 })).headers['retry-after'], '7')
  t.equal(errorReply(new StoreError('UNAVAILABLE', 'x')).headers['retry-after'], '1')
  t.match(errorReply(new StoreError('UNAUTHORIZED', 'x')).headers['www-authenticate'], /^Bearer/)
  t.equal(errorReply(new StoreError('FILE_EXISTS', 'x')).headers['retry-after'], undefined)
})

t.test('as bytes it is a whole answer', async t => {
  const text = rawErrorReply(new StoreError('HEADERS_TOO_LARGE', 'Too large.'))
  t.match(text, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/)
  t.match(text, /\r\nconnection: close\r\n\r\n\{"error"/)
})

t.test('what others throw gets a code, and no detail of a defect leaves the node', async t => {
  const own = new StoreError('DISK_FULL', 'Full.')
  t.equal(asStoreError(own), own)
  t.match(asStoreError({ code: 'CORRUPT', message: 'far away' }), { code: 'CORRUPT', message: 'far away' })
  t.match(asStoreError({ code: 'FST_ERR_BAD_URL', message: 'x', statusCode: 400 }), { code: 'INVALID_PATH' })
  t.match(asStoreError({ code: 'FST_ERR_OTHER', message: 'x', statusCode: 415 }), { code: 'INVALID_REQUEST' })
  const defect = asStoreError(new TypeError('secret of the inside'))
  t.equal(defect.code, 'INTERNAL')
  t.notMatch(defect.message, /secret/)
  t.match(asStoreError(Object.assign(new Error('x'), { code: 'ENOENT' })), { code: 'INTERNAL' })
})
