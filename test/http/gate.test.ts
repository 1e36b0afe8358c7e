import { EventEmitter } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import type { Access } from '../../src/http/auth.ts'
import { Connections } from '../../src/http/connections.ts'
import { Gate } from '../../src/http/gate.ts'
import type { Address } from '../../src/ring/identifier.ts'

const ring = { network: { networkId: 'n1' } }
const connections = new Connections({ env: realEnv() }, { bodyIdleTimeoutMs: 1000 })

function passing(
  gate: Gate,
  method: string,
  headers: Record<string, string>,
  access: Access,
  {
    httpVersion = '1.1',
    httpVersionMajor = 1,
    rawHeaders = [] as string[],
    socket = new EventEmitter(),
  } = {},
) {
  const raw = { method, headers: { ...headers }, httpVersion, httpVersionMajor, rawHeaders, socket }
  const request = { raw } as unknown as FastifyRequest
  let refusal: unknown
  const reply = Object.assign(new EventEmitter(), { req: raw, socket: null, destroy: () => reply })
  gate.hookFor(access)(request, { raw: reply } as unknown as FastifyReply, error => {
    refusal = (error as { code?: string } | undefined)?.code
  })
  return { refusal, request, leave: () => reply.emit('close') }
}

t.test('who comes in where', async t => {
  const local = { host: '127.0.0.1', advertise: undefined, tokens: {} }
  const settings = {
    local,
    named: { ...local, advertise: 'files.home:5000' as Address },
    open: { ...local, host: '0.0.0.0' },
    token: { ...local, tokens: { readWrite: 'w' } },
  }
  const token = { authorization: 'Bearer w' }
  const host = 'localhost:5000'
  const cases: [keyof typeof settings, string, Record<string, string>, Access, string | undefined][] = [
    ['local', 'GET', { host }, 'read', undefined],
    ['local', 'GET', {}, 'read', 'INVALID_REQUEST'],
    ['local', 'GET', { host: 'evil.example' }, 'open', 'FORBIDDEN'],
    ['named', 'GET', { host: 'files.home' }, 'read', undefined],
    ['open', 'GET', { host: 'any.example' }, 'read', undefined],
    ['token', 'GET', { host: 'any.example', ...token }, 'read', undefined],
    ['token', 'GET', { host }, 'read', 'UNAUTHORIZED'],
    ['token', 'GET', { host }, 'open', undefined],
    ['local', 'GET', { host, 'content-length': '1' }, 'read', 'INVALID_REQUEST'],
    ['local', 'HEAD', { host, 'transfer-encoding': 'chunked' }, 'read', 'INVALID_REQUEST'],
    ['local', 'GET', { host, 'sec-fetch-site': 'cross-site' }, 'read', undefined],
    ['local', 'GET', { host, 'sec-fetch-site': 'cross-site' }, 'write', 'FORBIDDEN'],
    ['local', 'GET', { host, 'ring-network': 'n1' }, 'read', undefined],
    ['local', 'GET', { host, 'ring-network': 'n2' }, 'read', 'WRONG_NETWORK'],
    ['token', 'GET', { host, 'ring-network': 'n2' }, 'read', 'UNAUTHORIZED'],
    ['token', 'PUT', { host, ...token, origin: 'http://evil.example' }, 'write', 'FORBIDDEN'],
  ]
  for (const [name, method, headers, access, code] of cases) {
    const { refusal } = passing(new Gate({ connections, ring }, settings[name]), method, headers, access)
    t.equal(refusal, code, `${name} ${method} ${JSON.stringify(headers)} ${access}`)
  }
  t.equal(
    passing(new Gate({ connections, ring }, local), 'GET', {}, 'read', { httpVersion: '1.0' }).refusal,
    undefined,
  )
  t.equal(new Gate({ connections, ring }, local).hasTokens, false)
  t.equal(new Gate({ connections, ring }, settings.token).hasTokens, true)
})

t.test('a name that was right once does not make the next one right', async t => {
  const gate = new Gate({ connections, ring }, { host: '127.0.0.1', advertise: undefined, tokens: {} })
  t.equal(passing(gate, 'GET', { host: 'localhost' }, 'read').refusal, undefined)
  t.equal(passing(gate, 'GET', { host: 'evil.example' }, 'read').refusal, 'FORBIDDEN')
  t.equal(passing(gate, 'GET', { host: 'evil.example' }, 'read').refusal, 'FORBIDDEN')
})

t.test('a closed gate lets those who are in finish, and nobody else in', async t => {
  const gate = new Gate({ connections, ring }, { host: '127.0.0.1', advertise: undefined, tokens: {} })
  const headers = { host: 'localhost' }
  const inside = [passing(gate, 'GET', headers, 'read'), passing(gate, 'PUT', headers, 'write')]
  let isOver = false
  const closed = gate.close().then(() => {
    isOver = true
  })
  t.equal(passing(gate, 'GET', headers, 'read').refusal, 'UNAVAILABLE')
  const open = passing(gate, 'GET', headers, 'open')
  t.equal(open.refusal, undefined, 'whether it lives may still be asked')
  for (const { leave } of [...inside, open]) {
    await new Promise(resolve => setImmediate(resolve))
    t.notOk(isOver)
    leave()
  }
  await closed
  await gate.close()
})

t.test('who leaves before the turn of a pipelined request is not waited for', async t => {
  const gate = new Gate({ connections, ring }, { host: '127.0.0.1', advertise: undefined, tokens: {} })
  const socket = new EventEmitter()
  const [first] = [1, 2, 3].map(() => passing(gate, 'GET', { host: 'localhost' }, 'read', { socket }))
  t.equal(socket.listenerCount('close'), 1, 'one listener for a connection')
  first?.leave()
  socket.emit('close')
  await gate.close()
  t.equal(passing(gate, 'GET', { host: 'localhost' }, 'open', { socket }).refusal, undefined)
})

t.test('the declared type is kept from the framework, which would refuse a malformed one', async t => {
  const gate = new Gate({ connections, ring }, { host: '127.0.0.1', advertise: undefined, tokens: {} })
  const { request } = passing(gate, 'PUT', { host: 'localhost', 'content-type': 'nonsense' }, 'write')
  t.equal(request.declaredType, 'nonsense')
  t.notOk('content-type' in request.raw.headers)
})

t.test('what others on the way may read otherwise is refused', async t => {
  const gate = new Gate({ connections, ring }, { host: '127.0.0.1', advertise: undefined, tokens: {} })
  const host = { host: 'localhost' }
  const rows: [Record<string, string>, Parameters<typeof passing>[4]][] = [
    [host, { httpVersion: '2.0', httpVersionMajor: 2 }],
    [host, { rawHeaders: ['Host', 'localhost', 'hOST', 'localhost'] }],
    [{ ...host, 'transfer-encoding': 'gzip, chunked' }, {}],
  ]
  for (const [headers, message] of rows)
    t.equal(passing(gate, 'PUT', headers, 'write', message).refusal, 'INVALID_REQUEST')
  t.equal(passing(gate, 'PUT', { ...host, 'transfer-encoding': 'Chunked' }, 'write').refusal, undefined)
})

t.test(
  'of requests one behind the other, one that changes something waits, and so does what follows it',
  async t => {
    const gate = new Gate({ connections, ring }, { host: '127.0.0.1', advertise: undefined, tokens: {} })
    const begun: number[] = []
    const socket = new EventEmitter()
    const replies = ['GET', 'GET', 'PUT', 'GET'].map((method, at) => {
      const raw = {
        method,
        headers: { host: 'localhost' },
        httpVersion: '1.1',
        httpVersionMajor: 1,
        rawHeaders: [],
        socket,
      }
      const reply = Object.assign(new EventEmitter(), { req: raw })
      const hook = gate.hookFor(method === 'PUT' ? 'write' : 'read')
      hook({ raw } as unknown as FastifyRequest, { raw: reply } as unknown as FastifyReply, () =>
        begun.push(at),
      )
      return reply
    })
    t.same(begun, [0, 1])
    for (const reply of replies) reply.emit('close')
    t.same(begun, [0, 1, 2, 3])
  },
)
