/**
 * Which operation a request asks for: its method, whether it is about the store, a bucket or an object, and the
 * subresource in its query. What S3 has and this store has not is refused by its name.
 */
import { completeUpload } from './complete-upload.ts'
import { notImplemented, S3Error } from './errors.ts'
import { listObjects, listVersions, maxKeys, ownerElement } from './list-objects.ts'
import { listParts, listUploads } from './list-uploads.ts'
import { abortUpload, createUpload, uploadPart, uploadPartCopy } from './multipart.ts'
import type { S3Components } from './operation.ts'
import { receivedSmall } from './payload.ts'
import { findObject, getObject, getObjectAttributes } from './read-object.ts'
import { sendEmpty, sendXml } from './reply.ts'
import { bucketOf, header, parameter, type S3Request } from './request.ts'
import { copyObject, deleteObject, deleteObjects, putObject } from './write-object.ts'
import { element, parseXml } from './xml.ts'

export interface Operation {
  /** S3's name for it. */
  readonly name: string
  /** It changes something, so that a key which may read only is refused. */
  readonly writes: boolean
  readonly run: (components: S3Components, request: S3Request) => Promise<void>
}

/** Subresources of S3 that are not here, and what they are. */
const MISSING: Readonly<Record<string, string>> = {
  accelerate: 'transfer acceleration',
  analytics: 'analytics',
  append: 'appends',
  cors: 'CORS rules of a bucket; --s3-cors-origin is for the whole endpoint',
  encryption: 'encryption of its own; encrypt the disks, or at the client',
  'intelligent-tiering': 'storage classes',
  inventory: 'inventories',
  'legal-hold': 'object lock',
  lifecycle: 'lifecycle rules',
  logging: 'logs of a bucket',
  metadataTable: 'metadata tables',
  metrics: 'metrics of a bucket; /metrics has those of the node',
  notification: 'notifications',
  'object-lock': 'object lock',
  ownershipControls: 'access control lists',
  policy: 'bucket policies',
  policyStatus: 'bucket policies',
  publicAccessBlock: 'bucket policies',
  renameObject: 'rename operation in S3; POST /move does it',
  replication: 'replication rules; every file is replicated',
  requestPayment: 'payments',
  restore: 'archive',
  retention: 'object lock',
  select: 'S3 Select',
  session: 'sessions',
  tagging: 'tags',
  torrent: 'torrents',
  versionId: 'versions of objects',
  website: 'websites',
}

type Level = 'service' | 'bucket' | 'object'

/** One row for each operation; of those whose method and level fit, the first whose marks are all there. */
interface Row extends Operation {
  readonly method: string
  readonly level: Level
  /** Parameters, or headers that begin with `x-amz-`, without which it is another operation. */
  readonly marks: readonly string[]
}

const row = (
  level: Level,
  method: string,
  marks: readonly string[],
  name: string,
  run: Operation['run'],
  writes = method !== 'GET' && method !== 'HEAD',
): Row => ({ level, method, marks, name, run, writes })

export const OPERATIONS: readonly Row[] = [
  row('service', 'GET', [], 'ListBuckets', listBuckets),
  row('bucket', 'GET', ['location'], 'GetBucketLocation', aboutBucket(sendLocation)),
  row('bucket', 'GET', ['versioning'], 'GetBucketVersioning', aboutBucket(sendVersioning)),
  row('bucket', 'GET', ['acl'], 'GetBucketAcl', aboutBucket(sendAcl)),
  row('bucket', 'GET', ['uploads'], 'ListMultipartUploads', listUploads),
  row('bucket', 'GET', ['versions'], 'ListObjectVersions', sendList(listVersions)),
  row('bucket', 'GET', [], 'ListObjects', sendList(listObjects)),
  row('bucket', 'HEAD', [], 'HeadBucket', aboutBucket(sendRegion)),
  row('bucket', 'PUT', ['acl'], 'PutBucketAcl', aboutBucket(keepPrivate)),
  row('bucket', 'PUT', ['versioning'], 'PutBucketVersioning', aboutBucket(refuseVersions)),
  row('bucket', 'PUT', [], 'CreateBucket', createBucket),
  row('bucket', 'DELETE', [], 'DeleteBucket', deleteBucket),
  row('bucket', 'POST', ['delete'], 'DeleteObjects', deleteObjects),
  row('object', 'GET', ['acl'], 'GetObjectAcl', aboutObject(sendAcl)),
  row('object', 'GET', ['attributes'], 'GetObjectAttributes', getObjectAttributes),
  row('object', 'GET', ['uploadId'], 'ListParts', listParts),
  row('object', 'GET', [], 'GetObject', getObject),
  row('object', 'HEAD', [], 'HeadObject', getObject),
  row('object', 'PUT', ['acl'], 'PutObjectAcl', aboutObject(keepPrivate)),
  row('object', 'PUT', ['uploadId', 'x-amz-copy-source'], 'UploadPartCopy', uploadPartCopy),
  row('object', 'PUT', ['uploadId'], 'UploadPart', uploadPart),
  row('object', 'PUT', ['x-amz-copy-source'], 'CopyObject', copyObject),
  row('object', 'PUT', [], 'PutObject', putObject),
  row('object', 'POST', ['uploads'], 'CreateMultipartUpload', createUpload),
  row('object', 'POST', ['uploadId'], 'CompleteMultipartUpload', completeUpload),
  row('object', 'DELETE', ['uploadId'], 'AbortMultipartUpload', abortUpload),
  row('object', 'DELETE', [], 'DeleteObject', deleteObject),
]

/** @throws S3Error NotImplemented, MethodNotAllowed. */
export function operationOf(request: Pick<S3Request, 'method' | 'query' | 'headers' | 'target'>): Operation {
  for (const [name] of request.query) {
    const what = MISSING[name]
    // The only version that there is has no number.
    if (what !== undefined && !(name === 'versionId' && parameter(request, name) === 'null'))
      throw notImplemented(what)
  }
  const { bucket, key } = request.target
  const level: Level = bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object'
  const isThere = (mark: string) =>
    mark.startsWith('x-amz-') ? header(request, mark) !== undefined : parameter(request, mark) !== undefined
  const found = OPERATIONS.find(
    one => one.level === level && one.method === request.method && one.marks.every(isThere),
  )
  if (found !== undefined) return found
  throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.')
}

/** Buckets of one page at the most; S3's own bound. */
const BUCKETS_MAX = 10_000

async function listBuckets({ buckets }: S3Components, request: S3Request): Promise<void> {
  const prefix = parameter(request, 'prefix') ?? ''
  // The name of the last bucket of a page is its token.
  const after = parameter(request, 'continuation-token') ?? ''
  const limit = maxKeys(parameter(request, 'max-buckets'), BUCKETS_MAX)
  const left = (await buckets.all()).filter(({ name }) => name.startsWith(prefix) && name > after)
  const all = left.slice(0, limit)
  const last = all.length < left.length ? all.at(-1) : undefined
  const lines = all.map(({ name, createdAtMs }) =>
    element('Bucket', [element('Name', name), element('CreationDate', new Date(createdAtMs).toISOString())]),
  )
  sendXml(
    request,
    200,
    element('ListAllMyBucketsResult', [
      ownerElement('Owner'),
      element('Buckets', lines),
      last && element('ContinuationToken', last.name),
    ]),
  )
}

/** An operation that answers about a bucket that must be there. */
function aboutBucket(
  answer: (components: S3Components, request: S3Request) => Promise<void> | void,
): Operation['run'] {
  return async (components, request) => {
    await components.buckets.require(bucketOf(request))
    await answer(components, request)
  }
}

function aboutObject(
  answer: (components: S3Components, request: S3Request) => Promise<void> | void,
): Operation['run'] {
  return async (components, request) => {
    await findObject(components, request)
    await answer(components, request)
  }
}

/** Every region is this store; S3's first one is written as nothing. */
function sendLocation(_: S3Components, request: S3Request): void {
  sendXml(request, 200, element('LocationConstraint', ''))
}

function sendRegion(_: S3Components, request: S3Request): void {
  sendEmpty(request, 200, { 'x-amz-bucket-region': 'us-east-1' })
}

/** Versioning was never switched on, which is what an empty answer says. */
function sendVersioning(_: S3Components, request: S3Request): void {
  sendXml(request, 200, element('VersioningConfiguration', ''))
}

function refuseVersions(): void {
  throw notImplemented('versions of objects')
}

/** The owner may do everything, and nobody else anything. */
function sendAcl(_: S3Components, request: S3Request): void {
  const grant = element('Grant', [ownerElement('Grantee'), element('Permission', 'FULL_CONTROL')])
  sendXml(
    request,
    200,
    element('AccessControlPolicy', [ownerElement('Owner'), element('AccessControlList', [grant])]),
  )
}

/** Access that is private already is set to private; refuseUnsupported has refused any other word. */
async function keepPrivate({ connections }: S3Components, request: S3Request): Promise<void> {
  if (header(request, 'x-amz-acl') === undefined)
    throw notImplemented('access control lists, only private access')
  await receivedSmall(request, connections, 0)
  sendEmpty(request, 200)
}

function sendList(list: typeof listObjects): Operation['run'] {
  return async ({ files, buckets }, request) => {
    const bucket = bucketOf(request)
    const answer = await list(files, bucket, request)
    await buckets.require(bucket)
    sendXml(request, 200, answer)
  }
}

/** Bytes of the document that may say where a bucket shall be. */
const BUCKET_CONFIGURATION_BYTES_MAX = 16 * 1024

async function createBucket({ buckets, connections }: S3Components, request: S3Request): Promise<void> {
  const bucket = bucketOf(request)
  const text = await receivedSmall(request, connections, BUCKET_CONFIGURATION_BYTES_MAX)
  if (text.trim() !== '' && parseXml(text, 'CreateBucketConfiguration') === undefined)
    throw new S3Error('MalformedXML', 'The XML you provided was not well-formed.')
  await buckets.create(bucket)
  sendEmpty(request, 200, { location: `/${bucket}` })
}

async function deleteBucket({ buckets }: S3Components, request: S3Request): Promise<void> {
  await buckets.remove(bucketOf(request))
  sendEmpty(request, 204)
}
