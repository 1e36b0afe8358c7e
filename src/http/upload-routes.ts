/**
 * The endpoint for forms: files chosen in a browser, streamed in one or several at a time, under safe names.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import type { ReceivedBody } from '../files/file-service.ts'
import { putReceived, type ReceivedFile } from '../files/put-received.ts'
import { type PathName, parsePathName } from '../ring/path-name.ts'
import { refuseConditions } from './conditions.ts'
import {
  idempotencyParameter,
  json,
  overwriteParameter,
  receiptSchema,
  ringResponseHeaders,
} from './contract.ts'
import { addEndpoint, type HttpComponents, idempotencyOf, ringHeaders } from './endpoint.ts'
import { hasLost, refuseExtension, safeFileName } from './file-name.ts'
import { type FormPart, formBoundary, formParts } from './form-parts.ts'
import { storedMediaType } from './meta-fields.ts'
import { announcedBytes, receivedBody } from './request-body.ts'
import { decodedRestOf, parseFlag, queryOf } from './request-target.ts'

/** Files of one form. Each may wait in memory with 64 KiB until the form is complete. */
const FORM_FILES_MAX = 100

/** Fields of one form that are no files. */
const FORM_FIELDS_MAX = 100

/** Bytes of one such field. */
const FIELD_BYTES_MAX = 64 * 1024

/** Bytes of a whole form: its files and fields, and for each of them what surrounds it. */
function formBytesMax(fileBytesMax: number): number {
  return FORM_FILES_MAX * (fileBytesMax + FIELD_BYTES_MAX) + 2 * FORM_FIELDS_MAX * FIELD_BYTES_MAX
}

const fileFields = ['file', 'file_obj']

export function uploadRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/upload', '/upload/*'],
    access: 'write',
    aboutFile: true,
    contract: uploadContract,
    handler: async (request, reply) => {
      const rest = decodedRestOf(request.raw.url as string)
      return upload(components, request, reply, rest === '' ? undefined : parsePathName(rest))
    },
  })
}

/** A file of a form, taken in and not visible yet. */
interface Taken {
  readonly body: ReceivedBody
  readonly fileName: string | undefined
  readonly mediaType: string
}

interface Form {
  readonly folder: PathName | undefined
  readonly files: Taken[]
  /** The field that names the one file of the form; it may come before or after it. */
  fileName: string | undefined
}

/** Stores the files of a form below a folder, or at the top. @throws StoreError. */
export async function upload(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  folder: PathName | undefined,
): Promise<FastifyReply> {
  const { raw } = request
  const url = raw.url as string
  const overwrite = parseFlag('overwrite', queryOf(url, ['overwrite']).overwrite) ?? false
  const idempotency = idempotencyOf(request)
  refuseConditions(raw.headers)
  formBoundary(request.declaredType)
  if ((announcedBytes(raw) ?? 0) > formBytesMax(components.limits.fileBytesMax)) {
    throw new StoreError('FILE_TOO_LARGE', 'The form is larger than all files that it may have.')
  }
  return components.slots.gather(reply.raw, async () => {
    const form: Form = { folder, files: [], fileName: undefined }
    let given = 0
    try {
      await takeIn(components, request, reply, form)
      const files = namedFiles(form, components)
      given = files.length
      const condition = overwrite ? 'none' : 'absent'
      const receipts = await putReceived(components.files, files, { condition, ...idempotency }).catch(
        error => {
          throw overwrite && errorCode(error) === 'FILE_EXISTS' ? madeSafe(error) : error
        },
      )
      ringHeaders(reply, [components.ring.members.self.address])
      return reply
        .code(201)
        .type('application/json; charset=utf-8')
        .send(
          JSON.stringify(
            receipts.map((receipt, i) => ({ filename: files[i]?.name, status: 'uploaded', ...receipt })),
          ),
        )
    } catch (error) {
      // Once given to putReceived, the bodies are its to drop.
      if (given === 0) await Promise.all(form.files.map(file => components.files.dropReceived(file.body)))
      throw error
    }
  })
}

async function takeIn(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  form: Form,
): Promise<void> {
  const stopping = new AbortController()
  const body = receivedBody(request.raw, reply.raw, components.connections, stopping.signal)
  let fields = 0
  for await (const part of formParts(request, body, () => stopping.abort())) {
    if (fileFields.includes(part.name)) {
      await takeFile(components, part, form)
    } else if (part.fileName !== undefined) {
      throw invalid(
        `A file comes in a field named file or file_obj, and not ${JSON.stringify(part.name.slice(0, 100))}.`,
      )
    } else {
      if (++fields > FORM_FIELDS_MAX) throw invalid(`A form may have ${FORM_FIELDS_MAX} fields.`)
      const bytes = await fieldBytes(part)
      if (part.name !== 'file_name') continue
      if (form.fileName !== undefined) throw invalid('The form has two fields named file_name.')
      form.fileName = fileNameIn(bytes)
    }
  }
}

async function takeFile({ files }: HttpComponents, part: FormPart, form: Form): Promise<void> {
  if (form.files.length === FORM_FILES_MAX) throw invalid(`A form may have ${FORM_FILES_MAX} files.`)
  const path = likelyPath(form, part)
  const body = await files.receive(part.bytes, path && { path })
  // A browser sends a file input in which nothing was chosen as an empty file without a name.
  if (part.fileName === '' && body.size === 0) return files.dropReceived(body)
  form.files.push({ body, fileName: part.fileName, mediaType: storedMediaType(part.mediaType) })
}

/** Where a file will be put, as far as the form says by now: its name may follow it. */
function likelyPath({ folder, fileName }: Form, part: FormPart): PathName | undefined {
  try {
    return pathIn(folder, fileName ?? part.fileName ?? '')
  } catch {
    return undefined
  }
}

/** The path of a file with a name of a client's; undefined when no safe name can be made of it. @throws StoreError INVALID_PATH. */
function pathIn(folder: PathName | undefined, given: string): PathName | undefined {
  const name = safeFileName(given)
  return name === undefined ? undefined : parsePathName(folder === undefined ? name : `${folder}/${name}`)
}

async function fieldBytes(part: FormPart): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of part.bytes) {
    bytes += chunk.length
    if (bytes > FIELD_BYTES_MAX) throw invalid(`A field of a form may have ${FIELD_BYTES_MAX} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function fileNameIn(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The field file_name is not UTF-8.', { cause })
  }
}

type NamedFile = ReceivedFile & { readonly name: string }

function namedFiles(form: Form, { allowedExtensions }: HttpComponents): NamedFile[] {
  if (form.files.length === 0)
    throw invalid('The form has no file; it comes in a field named file or file_obj.')
  if (form.fileName !== undefined && form.files.length > 1) {
    throw invalid('file_name names one file, and the form has several.')
  }
  const paths = new Set<PathName>()
  return form.files.map(({ body, fileName, mediaType }) => {
    const given = form.fileName ?? fileName ?? ''
    const path = pathIn(form.folder, given)
    if (path === undefined)
      throw invalid(`${JSON.stringify(given.slice(0, 100))} can't be made a safe file name.`)
    const name = path.slice(path.lastIndexOf('/') + 1)
    refuseExtension(path, allowedExtensions)
    if (paths.has(path)) throw invalid(`Two files of the form have the name ${JSON.stringify(name)}.`)
    paths.add(path)
    return { name, path, body, meta: { mediaType }, createsOnly: hasLost(given, name) }
  })
}

/** Two names may become one when they are made safe, and then the one file would silently take the place of the other. */
function madeSafe(cause: StoreError): StoreError {
  const { message, path } = cause
  const why = `${message} The name of the upload was made safe, and such a name replaces no file: put it there by its path.`
  return new StoreError('FILE_EXISTS', why, { cause, ...(path !== undefined && { path }) })
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}

export const uploadContract = {
  summary: 'Stores the files of a form',
  description:
    'All files are taken in before the first one is stored, so a file that is there already refuses the whole form. ' +
    'Names are made safe: the last segment only, no leading dots, no control characters, no device names.',
  url: '/upload/{folder}',
  parameters: [
    {
      name: 'folder',
      in: 'path' as const,
      required: true,
      description: 'Where the files go, percent-encoded; /upload without it stores at the top.',
      schema: { type: 'string' },
    },
    overwriteParameter,
    idempotencyParameter,
  ],
  requestBody: {
    required: true,
    content: {
      'multipart/form-data': {
        schema: {
          type: 'object',
          properties: {
            file: { type: 'array', items: { type: 'string', contentMediaType: 'application/octet-stream' } },
            file_obj: {
              type: 'array',
              items: { type: 'string', contentMediaType: 'application/octet-stream' },
            },
            file_name: { type: 'string', description: 'Names the file, when it is the only one.' },
          },
        },
      },
    },
  },
  responses: {
    201: {
      description: 'A receipt for each file, in the order of the form.',
      headers: ringResponseHeaders,
      content: json({
        type: 'array',
        items: {
          allOf: [
            {
              type: 'object',
              properties: { filename: { type: 'string' }, status: { const: 'uploaded' } },
            },
            receiptSchema,
          ],
        },
      }),
    },
  },
  errors: [
    'INVALID_PATH',
    'REQUEST_TIMEOUT',
    'FILE_EXISTS',
    'FILE_TOO_LARGE',
    'TYPE_NOT_ALLOWED',
    'IDEMPOTENCY_KEY_REUSED',
    'OVERLOADED',
    'INDETERMINATE',
    'DISK_FULL',
  ] as const,
}
