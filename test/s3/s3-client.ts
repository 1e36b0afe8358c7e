/**
 * A client of S3 for tests that says exactly what it is told to: requests are signed by @smithy/signature-v4, the
 * signer of Amazon's own clients, and sent as they are.
 */
import { createHash, createHmac } from 'node:crypto'
import { type IncomingHttpHeaders, request } from 'node:http'
import { SignatureV4 } from '@smithy/signature-v4'

export const KEY_ID = 'test-key'
export const SECRET = 'test/secret+0123456789'

/** The hash and the keyed hash that the signer wants. */
class Sha256 {
  readonly #hash

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string)
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(data as string)
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {
    throw new Error('the signer makes a new one each time')
  }
}

export interface Sent {
  readonly method?: string
  /** Encoded as it shall be sent, without a query. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface Signing {
  readonly keyId?: string
  readonly secret?: string
  readonly date?: Date
  readonly region?: string
  /** Seconds; with it the query is signed, not the header. */
  readonly expiresIn?: number
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The code of a refusal. */
  readonly code: string | undefined
}

/** A request with what its signature adds. */
export async function sign(url: string, sent: Sent, signing: Signing = {}): Promise<Required<Sent>> {
  const { hostname, port } = new URL(url)
  const signer = new SignatureV4({
    service: 's3',
    region: signing.region ?? 'us-east-1',
    credentials: { accessKeyId: signing.keyId ?? KEY_ID, secretAccessKey: signing.secret ?? SECRET },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: true,
  })
  const body = sent.body ?? ''
  const plain = {
    method: sent.method ?? 'GET',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: sent.path,
    query: sent.query ?? {},
    headers: { host: `${hostname}:${port}`, ...sent.headers },
    body,
  }
  const signingDate = signing.date ?? new Date()
  const { expiresIn } = signing
  const signed =
    expiresIn === undefined
      ? await signer.sign(plain, { signingDate })
      : await signer.presign(
          // As Amazon's own presigner: who uses a URL later has another body.
          { ...plain, headers: { ...plain.headers, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' } },
          { signingDate, expiresIn },
        )
  return {
    method: plain.method,
    path: sent.path,
    query: signed.query as Record<string, string>,
    headers: signed.headers,
    body,
  }
}

/** Sends a request as it is. */
export async function send(url: string, sent: Sent): Promise<Answer> {
  const query = Object.entries(sent.query ?? {})
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
  const body = Buffer.from(sent.body ?? '')
  const { hostname, port } = new URL(url)
  const headers: Record<string, string> = { ...sent.headers }
  if (sent.body !== undefined && headers['transfer-encoding'] === undefined)
    headers['content-length'] ??= String(body.length)
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: hostname,
      port,
      method: sent.method ?? 'GET',
      path: query === '' ? sent.path : `${sent.path}?${query}`,
      headers,
      agent: false,
    })
    outgoing.on('error', reject).on('response', async response => {
      const pieces: Buffer[] = []
      try {
        for await (const piece of response) pieces.push(piece)
      } catch (error) {
        return reject(error)
      }
      const text = Buffer.concat(pieces).toString()
      const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1]
      return resolve({ status: response.statusCode as number, headers: response.headers, text, code })
    })
    outgoing.end(body)
  })
}

/** Signs and sends. */
export async function ask(url: string, sent: Sent, signing: Signing = {}): Promise<Answer> {
  return send(url, await sign(url, sent, signing))
}
