import t from 'tap'
import { StoreClient } from '../../src/client/client.ts'
import { json, scriptedServer } from './scripted-server.ts'

t.test('an archive is sent once, and one that breaks off is no archive', async t => {
  const { origin, seen } = await scriptedServer(t, [
    json(200, { prefix: 'a/', stored: 1 }),
    (_seen, response) => {
      response.writeHead(200, { 'content-type': 'application/x-tar' })
      response.write('half', () => response.destroy())
    },
  ])
  const client = new StoreClient({ node: origin })
  t.teardown(() => client.close())
  const body = async function* () {
    yield Buffer.from('tar')
  }
  t.match(await client.archives.put('a/ü', body(), { overwrite: true, folders: true }), { stored: 1 })
  t.match(seen[0], {
    method: 'PUT',
    url: '/archive/a/%C3%BC?overwrite=true&folders=true',
    body: Buffer.from('tar'),
  })
  const archive = await client.archives.get('', { format: 'zip' })
  await t.rejects(archive.toArray(), { code: 'UNAVAILABLE' })
  t.match(seen[1], { method: 'GET', url: '/archive?format=zip' })
  await t.rejects(async () => client.archives.get('../a'), { code: 'INVALID_PATH' })
})
