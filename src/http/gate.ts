/**
 * What every request passes before its endpoint: who it is for, who sends it and from where. Nothing of its body has
 * been looked at.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { NodeConfig } from '../config.ts'
import { StoreError } from '../errors.ts'
import { isLoopback } from '../ring/address.ts'
import { type Access, authorizer } from './auth.ts'
import type { Connections } from './connections.ts'
import { isLocalHost, refuseCrossSite } from './cross-site.ts'
import { hasBody } from './request-body.ts'
import { refuseOtherNetwork } from './ring-range.ts'

/** Runs when the header of a request is read; calls `done` with the refusal, if there is one. */
export type RequestHook = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
) => void

export class Gate {
  readonly #connections: Connections
  readonly #networkId: string
  readonly #authorize: ReturnType<typeof authorizer>
  readonly #names: readonly string[]
  readonly #localOnly: boolean
  /** The Host that was found right last; nearly every request has the same. */
  #knownHost: string | undefined
  /** Requests that were let in and are not answered yet. */
  #running = 0
  #isClosed = false
  #onLast = () => {}

  constructor(
    components: {
      readonly connections: Connections
      readonly ring: { readonly network: { readonly networkId: string } }
    },
    init: Pick<NodeConfig, 'host' | 'advertise' | 'tokens'>,
  ) {
    this.#connections = components.connections
    this.#networkId = components.ring.network.networkId
    this.#authorize = authorizer(init.tokens)
    this.#names = init.advertise === undefined ? [] : [init.advertise.replace(/:\d+$/, '')]
    // With tokens, the page of another site knows none; without them, only its Host gives it away.
    this.#localOnly = this.#authorize === undefined && isLoopback(init.host)
  }

  get hasTokens(): boolean {
    return this.#authorize !== undefined
  }

  /** How much a request that was let in may do. */
  accessOf({ authorization }: IncomingHttpHeaders): 'read' | 'write' {
    try {
      this.#authorize?.(authorization, 'write')
      return 'write'
    } catch {
      return 'read'
    }
  }

  /** The hook of an endpoint. It is made once for each, because the framework's way to ask a request for its endpoint is slow. */
  hookFor(access: Access): RequestHook {
    return this.#hookOf(request => {
      this.#checkSender(request, access)
      this.#checkContent(request, access)
    })
  }

  /** The same where no endpoint answers: whoever may know learns that first. */
  hookForNone(access: Access): RequestHook {
    return this.#hookOf(request => this.#checkSender(request, access))
  }

  #hookOf(check: (request: FastifyRequest) => void): RequestHook {
    return (request, reply, done) => {
      const enter = () => {
        try {
          check(request)
        } catch (error) {
          done(error as Error)
          return
        }
        this.#enter(reply)
        done()
      }
      const previous = this.#connections.begin(request.raw, reply.raw)
      if (previous === undefined) enter()
      else previous.once('close', enter)
    }
  }

  /** Lets nobody in any more, but for what is open to all; resolves when those who are in have their answers. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#running === 0) return
    await new Promise<void>(resolve => {
      this.#onLast = resolve
    })
  }

  #enter(reply: FastifyReply): void {
    this.#running++
    reply.raw.once('close', () => {
      this.#running--
      if (this.#running === 0) this.#onLast()
    })
  }

  /** @throws StoreError UNAVAILABLE, INVALID_REQUEST, UNAUTHORIZED, FORBIDDEN. */
  #checkSender({ raw }: FastifyRequest, access: Access): void {
    if (this.#isClosed && access !== 'open')
      throw new StoreError('UNAVAILABLE', 'The node is stopping; ask another one.')
    const { headers } = raw
    refuseOddMessage(raw)
    const { host } = headers
    if (host === undefined) {
      if (raw.httpVersion !== '1.0') throw new StoreError('INVALID_REQUEST', 'The Host header is missing.')
    } else if (this.#localOnly && host !== this.#knownHost) {
      if (!isLocalHost(host, this.#names)) throw new StoreError('FORBIDDEN', 'This node has another name.')
      this.#knownHost = host
    }
    this.#authorize?.(headers.authorization, access)
  }

  /** @throws StoreError INVALID_REQUEST, FORBIDDEN, WRONG_NETWORK. */
  #checkContent(request: FastifyRequest, access: Access): void {
    const { raw } = request
    const { headers, method } = raw
    refuseOtherNetwork(headers, this.#networkId)
    if (method === 'GET' || method === 'HEAD') {
      if (hasBody(raw)) throw new StoreError('INVALID_REQUEST', `A ${method} request has no body.`)
    } else {
      request.declaredType = headers['content-type']
      delete headers['content-type']
    }
    if (access === 'write') refuseCrossSite(headers, method)
  }
}

/** What some servers on the way read otherwise than we do. @throws StoreError INVALID_REQUEST. */
function refuseOddMessage({ httpVersionMajor, rawHeaders, headers }: IncomingMessage): void {
  if (httpVersionMajor !== 1)
    throw new StoreError('INVALID_REQUEST', 'This node speaks HTTP/1.1 and HTTP/1.0.')
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  if (hosts > 1) throw new StoreError('INVALID_REQUEST', 'The Host header comes twice.')
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    throw new StoreError('INVALID_REQUEST', 'Of transfer codings, this node takes chunked alone.')
}
