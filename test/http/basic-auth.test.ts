import { TLSSocket } from 'node:tls'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { withBasic } from '../../src/http/basic-auth.ts'

function entered(authorization: string | undefined, socket: object) {
  const request = { raw: { headers: { authorization }, socket } } as unknown as FastifyRequest
  let outcome: unknown
  withBasic((_request, _reply, done) => done())(request, {} as FastifyReply, error => {
    outcome = (error as { code?: string } | undefined)?.code ?? request.raw.headers.authorization
  })
  return outcome
}

const encoded = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
const local = { remoteAddress: '127.0.0.1' }

t.test('the password is the token', async t => {
  t.equal(entered(encoded('anyone:to:ken'), local), 'Bearer to:ken')
  t.equal(entered(encoded(':token'), { remoteAddress: '::ffff:127.0.0.1' }), 'Bearer token')
  t.equal(entered(encoded(':token'), { remoteAddress: '::1' }), 'Bearer token')
  t.equal(entered('Bearer token', { remoteAddress: '192.0.2.1' }), 'Bearer token')
  t.equal(entered(undefined, local), undefined)
})

t.test('it is taken where nobody can listen', async t => {
  t.equal(entered(encoded(':token'), { remoteAddress: '192.0.2.1' }), 'FORBIDDEN')
  const tls = Object.create(TLSSocket.prototype, { remoteAddress: { value: '192.0.2.1' } }) as object
  t.equal(entered(encoded(':token'), tls), 'Bearer token')
})
