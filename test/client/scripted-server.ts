/**
 * A server that answers as a test says, request by request: the faults of a node that a real one does not show on
 * command.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** What came in, with its body read to the end. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export type Answer = (seen: Seen, response: ServerResponse) => void

/** Answers the first request with the first answer and so on; the last one stays. */
export async function scriptedServer(
  t: { teardown(end: () => unknown): unknown },
  answers: readonly Answer[],
): Promise<{ origin: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => Buffer.alloc(0))
    const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
    const answer = answers[Math.min(seen.length, answers.length - 1)] as Answer
    seen.push(one)
    answer(one, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return (_seen, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
  }
}

export function refusal(status: number, code: string, headers: Record<string, string> = {}): Answer {
  return json(status, { error: { code, message: `This is ${code}.`, retryable: false } }, headers)
}

/** Takes the request and closes the connection without a word. */
export const hangUp: Answer = (_seen, response) => {
  response.destroy()
}

/** Takes the request and never answers. */
export const silence: Answer = () => {}
