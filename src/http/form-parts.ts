/**
 * The parts of a multipart/form-data body (RFC 7578), one after the other as they come: read by @fastify/multipart, which is
 * given our own reception of the body, so that its time limits, its pace and `Expect: 100-continue` are those of every other
 * body. Where the plugin is lenient, checkedForm is strict before it: a part that can't be understood is refused and never
 * skipped, because it may be a file (docs/decisions/0001-bodies-pass-the-framework-by.md).
 */
import { Readable } from 'node:stream'
import multipart, { type MultipartFile } from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import { type CheckedHeader, checkedForm } from './form-check.ts'

export interface FormPart extends CheckedHeader {
  /** To be read to its end before the next part is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>
}

/**
 * Registers routes that take forms. The plugin's hooks run for them alone. The router has never seen their Content-Type
 * (gate.ts): the plugin has to, so that it takes the request for a form.
 */
export async function registerForms(
  fastify: FastifyInstance,
  routes: (scope: FastifyInstance) => void,
): Promise<void> {
  await fastify.register(async scope => {
    await scope.register(multipart, {
      // Sizes and numbers are limited by who reads the parts.
      limits: { fileSize: Number.POSITIVE_INFINITY, parts: Number.POSITIVE_INFINITY },
      throwFileSizeLimit: false,
    })
    scope.addHook('preParsing', (request, _reply, payload, done) => {
      const { declaredType } = request
      if (isForm(declaredType)) request.raw.headers['content-type'] = declaredType
      done(null, payload)
    })
    routes(scope)
  })
}

function isForm(contentType: string | undefined): boolean {
  try {
    return formBoundary(contentType) !== ''
  } catch {
    return false
  }
}

/**
 * The boundary in a Content-Type.
 * @throws StoreError TYPE_NOT_ALLOWED when it is no form, INVALID_REQUEST when the boundary is missing or malformed.
 */
export function formBoundary(contentType: string | undefined): string {
  const [type = '', ...parameters] = (contentType ?? '').split(';')
  if (type.trim().toLowerCase() !== 'multipart/form-data') {
    throw new StoreError('TYPE_NOT_ALLOWED', 'This endpoint takes a form of the type multipart/form-data.')
  }
  for (const parameter of parameters) {
    const match = /^\s*boundary="?([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])"?\s*$/i.exec(
      parameter,
    )
    if (match?.[1] !== undefined) return match[1]
  }
  throw invalid('The form has no boundary of 1 to 70 characters in its Content-Type.')
}

/**
 * The parts of a form. Ending the iteration early calls `stop`, which has to end `body`.
 * @param body the bytes of the request, as request-body.ts receives them.
 * @throws StoreError INVALID_REQUEST for a form that is malformed or ends too early; an error of `body`. A part that
 *   is being read fails with the same error.
 */
export async function* formParts(
  request: FastifyRequest,
  body: AsyncIterable<Uint8Array>,
  stop: () => void,
): AsyncGenerator<FormPart> {
  const boundary = formBoundary(request.declaredType)
  const checked = checkedForm(body, boundary)
  const raw = Object.assign(Readable.from(checked.bytes, { objectMode: false }), {
    headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
  })
  // The plugin reads the `raw` of the request that it is called on.
  const received = Object.create(request, { raw: { value: raw } }) as FastifyRequest
  try {
    // A field is a file without a name: its bytes, too, come as they were sent.
    for await (const part of received.parts({ isPartAFile: () => true, preservePath: true })) {
      const header = checked.headers.shift()
      if (header === undefined) throw invalid('A part of the form cannot be understood.')
      yield { ...header, bytes: (part as MultipartFile).file }
    }
  } catch (error) {
    throw errorCode(error)?.startsWith('FST_') ? invalid((error as Error).message) : error
  } finally {
    stop()
    raw.destroy()
    if (!raw.closed) await new Promise<void>(resolve => raw.once('close', resolve))
  }
  // Whatever the check has let through was a part to the parser, too.
  if (checked.headers.length > 0) throw invalid('A part of the form cannot be understood.')
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}
