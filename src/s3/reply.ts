/**
 * How S3 answers: XML, nothing, or a refusal that is sent in a way that its client gets to see it.
 */
import { Buffer } from 'node:buffer'
import { pipeline } from 'node:stream/promises'
import type { Env } from '../env.ts'
import type { Connections } from '../http/connections.ts'
import { hasBody } from '../http/request-body.ts'
import { asS3Error, errorDocument, errorElement, S3_STATUS, type S3Error } from './errors.ts'
import type { S3Request } from './request.ts'
import { namespaced, XML_DECLARATION, type Xml, xmlDocument } from './xml.ts'

const XML_TYPE = 'application/xml'

/** Answers with a document. */
export function sendXml({ reply }: Pick<S3Request, 'reply'>, status: number, root: Xml): void {
  const text = xmlDocument(root)
  reply.writeHead(status, { 'content-type': XML_TYPE, 'content-length': Buffer.byteLength(text) }).end(text)
}

/** Answers without a body. */
export function sendEmpty(
  { reply }: Pick<S3Request, 'reply'>,
  status: number,
  headers: Record<string, string> = {},
): void {
  reply.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': '0' }).end()
}

/** Answers with a refusal. A body that was not read is drained for a while, so that the answer is not lost. */
export async function sendError(
  { raw, reply, requestId }: Pick<S3Request, 'raw' | 'reply' | 'requestId'>,
  error: S3Error,
  connections: Connections,
): Promise<void> {
  if (reply.headersSent) {
    // Bytes were promised that can't be sent: the client must see a broken connection and never a complete answer.
    reply.destroy()
    return
  }
  for (const name of reply.getHeaderNames())
    if (!name.startsWith('x-amz-') && !name.startsWith('access-control-') && name !== 'vary')
      reply.removeHeader(name)
  const resource = (raw.url ?? '').split('?', 1)[0] as string
  const text = raw.method === 'HEAD' ? '' : errorDocument(error, resource, requestId)
  const headers: Record<string, string | number> = { ...error.headers, 'content-type': XML_TYPE }
  if (raw.method !== 'HEAD') headers['content-length'] = Buffer.byteLength(text)
  const unread = hasBody(raw) && !raw.readableEnded
  if (unread) headers.connection = 'close'
  reply.writeHead(S3_STATUS[error.code], headers)
  if (unread) await pipeline(connections.lingering(text, raw), reply).catch(() => undefined)
  else reply.end(text)
}

/** How long a client is left without a byte, ms: half of the shortest time-out that is usual. */
const SILENCE_MAX_MS = 10_000

/**
 * Answers with a document that may take long. From then on white space keeps the connection busy, and what goes wrong
 * after it stands in the document of a 200, as S3 has it for these operations.
 */
export async function sendSlowly(
  { env }: { readonly env: Pick<Env, 'timers'> },
  request: Pick<S3Request, 'reply'>,
  work: Promise<Xml>,
  init: { readonly silenceMs?: number } = {},
): Promise<void> {
  const { reply } = request
  const silenceMs = init.silenceMs ?? SILENCE_MAX_MS
  let began = false
  let timer = env.timers.after(silenceMs, beat)
  function beat() {
    if (!began) reply.writeHead(200, { 'content-type': XML_TYPE }).write(XML_DECLARATION)
    else reply.write(' ')
    began = true
    timer = env.timers.after(silenceMs, beat)
  }
  try {
    const root = await work
    if (began) reply.end(namespaced(root).xml)
    else sendXml(request, 200, root)
  } catch (thrown) {
    if (!began) throw thrown
    reply.end(errorElement(asS3Error(thrown)).xml)
  } finally {
    timer.cancel()
  }
}
