/**
 * A node that others open links to, whoever opens them, and links that a test opens by hand.
 */
import { connect, type Socket } from 'node:net'
import fastify from 'fastify'
import type { Test } from 'tap'
import { type Env, realEnv } from '../../src/env.ts'
import { FrameReader, FrameWriter } from '../../src/peer/frames.ts'
import { HttpPeers } from '../../src/peer/http-peers.ts'
import { LINK_TARGET } from '../../src/peer/peer-link.ts'
import { peerRoutes } from '../../src/peer/peer-routes.ts'
import type { PeerIdentity, Unreachable } from '../../src/peer/peers.ts'
import { PeerVersions, type ProtocolVersion } from '../../src/peer/protocol.ts'
import { Turns } from '../../src/peer/turns.ts'
import { type Credentials, peerHeaders } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { waitFor } from '../e2e/harness.ts'

export interface Message {
  text: string
}

export const isMessage = (value: unknown): value is Message =>
  typeof (value as Message | null)?.text === 'string'

export interface Spoken {
  speaks?: ProtocolVersion
  secret?: string | undefined
  otherSecrets?: string[]
  node?: string
}

export function credentialsOf(init: Spoken = {}) {
  const self = {
    address: `${init.node ?? 'a'}:1` as Address,
    nodeId: (init.node ?? 'a').repeat(32) as NodeId,
    boot: { counter: 1, nonce: 'ab' },
  }
  return {
    secret: 'secret' in init ? init.secret : 'a secret',
    otherSecrets: init.otherSecrets ?? [],
    networkId: () => 'net',
    self: () => self as PeerIdentity,
    versions: new PeerVersions({ speaks: init.speaks ?? 5 }),
    turns: new Turns(realEnv()),
    /** The node counts another start while it runs. */
    startsAnew: () => {
      self.boot = { counter: self.boot.counter + 1, nonce: 'cd' }
    },
  }
}

/** A clock and timers that the test moves, beside the real loop. */
export function movedEnv(warnings: object[]) {
  const real = realEnv({ debug() {}, info() {}, warn: fields => warnings.push(fields), error() {} })
  let skipped = 0
  const timers = new Set<{ atMs: number; then: () => void }>()
  const nowMs = () => real.clock.monotonicMs() + skipped
  const env: Env = {
    ...real,
    clock: { ...real.clock, monotonicMs: nowMs },
    timers: {
      ...real.timers,
      after(delayMs, then) {
        const timer = { atMs: nowMs() + delayMs, then }
        timers.add(timer)
        return { cancel: () => timers.delete(timer) }
      },
    },
  }
  const fire = () => {
    for (const timer of [...timers].filter(({ atMs }) => atMs <= nowMs())) {
      timers.delete(timer)
      timer.then()
    }
  }
  return {
    env,
    waiting: () => timers.size,
    skip(ms: number) {
      skipped += ms
      fire()
    },
  }
}

export async function nodeUnderTest(t: Test, init: Spoken & { env?: Env } = {}) {
  const warnings: object[] = []
  const received: [PeerIdentity, Message][] = []
  const credentials = credentialsOf({ node: 'b', ...init })
  const env =
    init.env ?? realEnv({ debug() {}, info() {}, warn: fields => warnings.push(fields), error() {} })
  const app = fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
  app.setErrorHandler((error: Error & { code?: string }, _request, reply) =>
    reply.code(400).send({ error: { code: error.code, message: error.message } }),
  )
  const requests: string[] = []
  app.addHook('onRequest', async ({ method, url }) => {
    requests.push(`${method} ${url}`)
  })
  let connections = 0
  app.server.on('connection', () => {
    connections++
  })
  const reception = {
    isMessage,
    isCall: () => true,
    isStream: () => false,
    messages(from: PeerIdentity, messages: readonly Message[]) {
      received.push(...messages.map(message => [from, message] as [PeerIdentity, Message]))
      return messages.filter(({ text }) => text.startsWith('echo'))
    },
    call: async () => ({}),
  }
  await app.register(peerRoutes, { env, credentials, reception } as never)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const { port } = app.server.address() as { port: number }
  const address = `127.0.0.1:${port}` as Address
  const texts = () => received.map(([, { text }]) => text)
  return {
    app,
    address,
    port,
    credentials,
    received,
    texts,
    requests,
    warnings,
    connections: () => connections,
  }
}

export function senderUnderTest(t: Test, init: Spoken = {}) {
  const warnings: object[] = []
  const credentials = credentialsOf(init)
  const time = movedEnv(warnings)
  const replies: [PeerIdentity, string][] = []
  const unreachable: [Address, Unreachable][] = []
  const took: number[] = []
  const peers = new HttpPeers<Message, never, unknown>(
    { env: time.env, credentials },
    {
      scheme: 'http',
      unreachable: (peer, how) => unreachable.push([peer, how]),
      isMessage,
      dated: () => ({ kind: 'note', since: 3 }),
      messages: (from, messages) => {
        for (const { text } of messages) replies.push([from, text])
      },
      took: (_peer, ms) => took.push(ms),
    },
  )
  t.teardown(() => peers.close())
  return { peers, credentials, replies, unreachable, took, warnings, time }
}

export const seen = (what: string, condition: () => boolean) => waitFor(async () => condition(), { what })

export async function openSockets(server: { getConnections(then: (e: unknown, n: number) => void): void }) {
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles()
  return handles.filter((handle): handle is Socket => (handle as { server?: unknown }).server === server)
}

/** A link that a test opens by hand. */
export async function rawLink(
  t: Test,
  node: Awaited<ReturnType<typeof nodeUnderTest>>,
  init: {
    credentials?: Credentials
    turn?: number
    headers?: Record<string, string>
    neverEnds?: boolean
  } = {},
) {
  const credentials = init.credentials ?? credentialsOf()
  const turn = {
    to: `${node.credentials.self().nodeId}.${node.credentials.turns.start}`,
    turn: `${'c'.repeat(32)}.${init.turn ?? 1}`,
  }
  const headers = { ...peerHeaders(credentials, 'CONNECT', LINK_TARGET, undefined, 5, turn), ...init.headers }
  // Whoever attacks does not end because it was told to.
  const socket = connect({ port: node.port, host: '127.0.0.1', allowHalfOpen: init.neverEnds ?? false })
  t.teardown(() => socket.destroy())
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk)).on('error', () => undefined)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`CONNECT ${LINK_TARGET} HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`)
  const all = () => Buffer.concat(chunks)
  await seen('an answer', () => all().includes('\r\n\r\n'))
  const opening = headers['ring-signature'] ?? ''
  return {
    socket,
    all,
    status: () => Number(all().toString('latin1').split(' ')[1]),
    frames: () =>
      new FrameReader(credentials.secret, opening, 'back').push(
        all().subarray(all().indexOf('\r\n\r\n') + 4),
      ),
    writer: new FrameWriter(credentials.secret, opening, 'out'),
    ended: () => socket.closed || socket.readableEnded,
  }
}
