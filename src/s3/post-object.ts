/**
 * PostObject: an upload by a form of a browser, signed by the policy that it carries.
 */
import type { IncomingMessage } from 'node:http'
import { refuseExtension } from '../http/file-name.ts'
import { receivedBody } from '../http/request-body.ts'
import type { Authentication } from './authentication.ts'
import { announcedChecksums, BodyChecksums, refuseOther } from './checksums.ts'
import { writeConditionOf } from './conditions.ts'
import { notImplemented, S3Error } from './errors.ts'
import { pathOfKey } from './object-key.ts'
import { checksumHeaders, metaOfRequest, withExtras } from './object-meta.ts'
import type { S3Components } from './operation.ts'
import type { Payload } from './payload.ts'
import { type PostForm, readPostForm } from './post-form.ts'
import { checkPolicy, parsePolicy, type SizeRange } from './post-policy.ts'
import { sendEmpty, sendXml } from './reply.ts'
import { bucketOf, refuseUnsupported, type S3Request } from './request.ts'
import { percentEncode } from './sigv4.ts'
import { etagOfWritten, storeBody } from './write-object.ts'
import { element } from './xml.ts'

type PostRequest = Omit<S3Request, 'sender'>

/** True for a request that carries its signature in a form. */
export function isPostForm({
  method,
  target,
  query,
  headers,
}: Omit<PostRequest, 'raw' | 'reply' | 'requestId'>) {
  const type = headers.get('content-type')?.[0] ?? ''
  return (
    method === 'POST' &&
    target.bucket !== undefined &&
    target.key === undefined &&
    query.length === 0 &&
    !headers.has('authorization') &&
    /^\s*multipart\/form-data\s*(;|$)/i.test(type)
  )
}

/** @throws S3Error; StoreError. */
export async function postObject(
  components: S3Components,
  authentication: Authentication,
  request: PostRequest,
): Promise<void> {
  const bucket = bucketOf(request)
  const { raw, reply } = request
  refuseHeaders(request)
  const stopping = new AbortController()
  try {
    const body = receivedBody(raw, reply, components.connections, stopping.signal)
    const form = await readPostForm(body, raw.headers['content-type'], stopping.signal)
    const fields = new Map(form.fields)
    const key = keyOf(form)
    fields.set('key', key)
    fields.set('bucket', bucket)
    const nowMs = components.env.clock.nowMs()
    const { policy, ...sender } = authentication.authenticateForm(form.fields, nowMs)
    const size = checkPolicy(parsePolicy(policy), fields, nowMs)
    if (sender.key.readOnly) throw new S3Error('AccessDenied', 'This access key may read only.')
    const described = asHeaders(form.fields)
    refuseUnsupported(described)
    const path = pathOfKey(bucket, key)
    refuseExtension(path, components.allowedExtensions)
    const meta = metaOfRequest(described)
    await components.buckets.require(bucket)
    const payload = payloadOfForm(form, size)
    const { written, checksum } = await storeBody(components, request, path, payload, {
      condition: writeConditionOf(described),
      metaWith: sum => withExtras(meta, { checksum: sum && { ...sum, type: 'FULL_OBJECT' } }),
    })
    const etag = etagOfWritten(written)
    const headers = {
      etag,
      location: locationOf(raw, bucket, key, request),
      ...(checksum && checksumHeaders({ ...checksum, type: 'FULL_OBJECT' })),
    }
    sendResult(request, form.fields, { bucket, key, etag, headers })
  } finally {
    stopping.abort()
  }
}

/** Headers that would mean something on a put: in a form their fields do. @throws S3Error MissingContentLength, NotImplemented. */
function refuseHeaders({ headers }: PostRequest): void {
  if (!headers.has('content-length') && !headers.has('transfer-encoding'))
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.')
  const passedOver = [...headers.keys()].find(name => name.startsWith('x-amz-') || /^if-/.test(name))
  if (passedOver !== undefined) throw notImplemented(`header ${passedOver} beside a form; make it a field`)
}

/** The key, with the name of the file where the form says so. @throws S3Error InvalidArgument. */
function keyOf({ fields, fileName }: PostForm): string {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: S3's own placeholder.
  const key = fields.get('key')?.replaceAll('${filename}', () => fileName)
  if (key) return key
  throw new S3Error('InvalidArgument', 'Bucket POST must contain a field named "key".')
}

/** The fields that a put would have as headers, in the encoding of the wire. */
function asHeaders(fields: ReadonlyMap<string, string>): Pick<S3Request, 'headers' | 'query'> {
  const headers = new Map<string, readonly string[]>()
  for (const [name, value] of fields) {
    const wire = Buffer.from(value).toString('latin1')
    headers.set(name === 'acl' || name === 'tagging' ? `x-amz-${name}` : name, [wire])
  }
  return { headers, query: [] }
}

function payloadOfForm({ fields, bytes, ended }: PostForm, size: SizeRange): Payload {
  const announced = announcedChecksums(name => fields.get(name))
  const sums = new BodyChecksums(announced.checksum?.algorithm, announced.md5)
  let passed = 0
  async function* within() {
    for await (const piece of bytes) {
      passed += piece.length
      if (passed > size.max)
        throw new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size.')
      yield piece
    }
  }
  return {
    size: undefined,
    bytes: sums.passing(within()),
    async finish() {
      await ended
      if (passed < size.min)
        throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size.')
      const computed = await sums.finish()
      refuseOther(computed, announced.checksum?.value)
      return computed
    },
  }
}

/** Where the object is from now on, as the client called the endpoint. */
function locationOf(
  raw: IncomingMessage,
  bucket: string,
  key: string,
  { target, rawPath }: PostRequest,
): string {
  const scheme = 'encrypted' in raw.socket ? 'https' : 'http'
  const inPath = rawPath.replace(/^\//, '') === '' || target.bucket === undefined ? '' : `/${bucket}`
  const place = key.split('/').map(segment => percentEncode(Buffer.from(segment).toString('latin1')))
  return `${scheme}://${raw.headers.host}${inPath}/${place.join('/')}`
}

/** As the form wants it: a redirect, a document, or nothing. What can't be understood of that is passed over, as in S3. */
function sendResult(
  request: PostRequest,
  fields: ReadonlyMap<string, string>,
  result: {
    readonly bucket: string
    readonly key: string
    readonly etag: string
    readonly headers: Record<string, string>
  },
): void {
  const { bucket, key, etag, headers } = result
  const wanted = fields.get('success_action_redirect') ?? fields.get('redirect')
  const place = wanted !== undefined && URL.canParse(wanted) ? new URL(wanted) : undefined
  if (place !== undefined && /^https?:$/.test(place.protocol)) {
    for (const [name, value] of Object.entries({ bucket, key, etag })) place.searchParams.append(name, value)
    return sendEmpty(request, 303, { ...headers, location: place.href })
  }
  const status = fields.get('success_action_status')
  if (status === '201') {
    const about = { Location: headers.location as string, Bucket: bucket, Key: key, ETag: etag }
    const lines = Object.entries(about).map(([name, value]) => element(name, value))
    for (const [name, value] of Object.entries(headers)) request.reply.setHeader(name, value)
    return sendXml(request, 201, element('PostResponse', lines))
  }
  sendEmpty(request, status === '200' ? 200 : 204, headers)
}
