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

t.test('a lock on a file fences: a write that has looked before is refused in its commit', async t => {
  const { dav, ring } = await davServer(t)
  const { replication } = ring
  const commit = replication.commit.bind(replication)
  /** Takes a lock between what a request looks at and its commit. */
  const lockBefore = (place: string) => {
    let token = ''
    replication.commit = async (change, options) => {
      replication.commit = commit
      token = tokenOf(await dav('LOCK', place, { body: lockBody() }))
      return commit(change, options)
    }
    return () => dav('UNLOCK', place, { headers: { 'lock-token': `<${token}>` } })
  }
  const property =
    '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="my:">1</x></prop></set></propertyupdate>'
  const writes: [string, () => ReturnType<typeof dav>, number][] = [
    ['PUT', () => dav('PUT', 'f', { body: 'late' }), 503],
    ['DELETE', () => dav('DELETE', 'f'), 423],
    ['COPY', () => dav('COPY', 'g', { headers: { destination: '/dav/f' } }), 423],
    ['MOVE', () => dav('MOVE', 'g', { headers: { destination: '/dav/f' } }), 423],
    ['PROPPATCH', () => dav('PROPPATCH', 'f', { body: property }), 423],
  ]
  for (const [method, write, status] of writes) {
    await dav('PUT', 'f', { body: 'held' })
    await dav('PUT', 'g', { body: 'other' })
    const unlock = lockBefore('f')
    t.equal((await write()).status, status, method)
    t.equal((await write()).status, 423, `${method} again`)
    t.equal((await dav('GET', 'f')).body, 'held', `${method} has changed nothing`)
    t.equal((await dav('GET', 'g')).body, 'other')
    await unlock()
  }
  const unlock = lockBefore('new')
  t.equal((await dav('PUT', 'new', { body: 'late' })).status, 503, 'a name without a file is fenced, too')
  t.equal((await dav('GET', 'new')).body, '')
  await unlock()
})

t.test('without a lock, who writes at the same moment keeps no other from it', async t => {
  const { dav, ring } = await davServer(t)
  const { replication } = ring
  const commit = replication.commit.bind(replication)
  await dav('PUT', 'f', { body: '1' })
  replication.commit = async (change, options) => {
    replication.commit = commit
    await dav('PUT', 'f', { body: '2' })
    return commit(change, options)
  }
  t.equal((await dav('DELETE', 'f')).status, 204)
  t.equal((await dav('GET', 'f')).status, 404)
})

t.test('a name without a file gets an empty one', async t => {
  const { dav } = await davServer(t)
  t.equal((await dav('LOCK', 'new', { body: lockBody() })).status, 201)
  t.match(await dav('GET', 'new'), { status: 200, body: '' })
  t.equal((await dav('LOCK', 'none/new', { body: lockBody() })).status, 409)
})
