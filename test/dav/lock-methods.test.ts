import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { timeoutOf, wishOf } from '../../src/dav/lock-methods.ts'
import { parseXml } from '../../src/dav/xml.ts'
import { davServer, lockBody, tokenOf } from './dav-server.ts'

t.test('what is wished', async t => {
  t.match(wishOf(parseXml(lockBody('shared'))), {
    scope: 'shared',
    owner: '<D:owner><D:href>me</D:href></D:owner>',
  })
  t.throws(() => wishOf(parseXml('<lockinfo xmlns="DAV:"/>')), { code: 'INVALID_REQUEST' })
  const after = (timeout?: string) =>
    timeoutOf({ raw: { headers: { timeout } } } as unknown as FastifyRequest)
  t.equal(after(), 600_000)
  t.equal(after('Infinite, Second-4100000000'), 86_400_000)
  t.equal(after('Second-30'), 30_000)
  t.equal(after('Second-0'), 1000)
  t.equal(after('soon, Second-20'), 20_000)
})

t.test('a lock is taken, renewed and given back', async t => {
  const { dav, server } = await davServer(t)
  await dav('PUT', 'f', { body: 'x' })
  const taken = await dav('LOCK', 'f', { body: lockBody(), headers: { timeout: 'Second-100' } })
  t.match(taken, { status: 200, body: /<D:timeout>Second-100<\/D:timeout>/ })
  const token = tokenOf(taken)
  t.equal((await dav('LOCK', 'f', { body: lockBody() })).status, 423)
  const renewed = await dav('LOCK', 'f', { headers: { if: `(<${token}>)`, timeout: 'Second-500' } })
  t.match(renewed, { status: 200, body: /Second-500/ })
  t.equal((await dav('LOCK', 'f')).status, 412)
  t.equal((await dav('UNLOCK', 'f')).status, 400)
  t.equal((await dav('UNLOCK', 'f', { headers: { 'lock-token': '<urn:uuid:other>' } })).status, 409)
  const other = await server.inject({ method: 'PUT', url: '/put/f?overwrite=true', payload: 'y' })
  t.equal(other.statusCode, 200, 'locks are for WebDAV: other endpoints do not look')
  t.equal((await dav('UNLOCK', 'f', { headers: { 'lock-token': `<${token}>` } })).status, 204)
  t.equal((await dav('PUT', 'f', { body: 'x' })).status, 204)
})

t.test('a name without a file gets an empty one', async t => {
  const { dav } = await davServer(t)
  t.equal((await dav('LOCK', 'new', { body: lockBody() })).status, 201)
  t.match(await dav('GET', 'new'), { status: 200, body: '' })
  t.equal((await dav('LOCK', 'none/new', { body: lockBody() })).status, 409)
})
