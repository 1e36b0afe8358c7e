/**
 * System B, DHT storage with containers: three nodes that are told of each other by their environment, forms with files,
 * pairs, and requests that go to whoever is responsible.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { missingCurl, Seed } from './seed.ts'

t.setTimeout(900_000)

t.test('system B', { skip: missingCurl }, async t => {
  const seed = await Seed.open(t, [5001, 5002, 5003])
  await writeFile(join(seed.folder, 'hello.txt'), 'hello\n')
  await writeFile(join(seed.folder, 'photo.bin'), Buffer.alloc(200_000, 'photo'))

  await t.test('SELF_URL, PEERS and PORT make three nodes one network, in any order', async t => {
    const peers = (...ports: number[]) => ports.map(port => `http://127.0.0.1:${port}`).join(',')
    // A node that waits for the others is not ready, so they start together.
    await Promise.all([
      seed.start(`PORT=5003 SELF_URL=${peers(5003)} PEERS=${peers(5001, 5002)} node start`, 5003),
      seed.start(`PORT=5001 SELF_URL=${peers(5001)} PEERS=${peers(5002, 5003)} node start`, 5001),
      seed.start(`PORT=5002 SELF_URL=${peers(5002)} PEERS=${peers(5001, 5003)} node start`, 5002),
    ])
    await seed.keptBy(5001, 3)
    const { nodes } = (await seed.run('curl http://localhost:5002/network')).json() as {
      nodes: { address: string }[]
    }
    t.same(
      nodes.map(({ address }) => seed.shown(address)).sort(),
      [5001, 5002, 5003].map(port => `127.0.0.1:${port}`),
    )
  })

  await t.test('/health', async t => {
    for (const port of [5001, 5002, 5003]) {
      t.equal((await seed.run(`curl http://localhost:${port}/health`)).stdout, '{"status":"ok"}\n')
    }
  })

  await t.test('a file goes in at one node and comes out at another', async t => {
    const uploaded = await seed.run('curl -F file=@hello.txt http://localhost:5001/upload')
    t.match(uploaded.json(), [{ filename: 'hello.txt', status: 'uploaded', path: 'hello.txt', size: 6 }])
    const saved = await seed.run(
      'mkdir -p saved && cd saved && curl -OJ http://localhost:5002/download/hello.txt',
    )
    t.equal(saved.code, 0, saved.stderr)
    t.equal(await readFile(join(seed.folder, 'saved', 'hello.txt'), 'utf8'), 'hello\n')
    const missing = await seed.run('curl -w "%{http_code}" -o answer http://localhost:5003/download/none.txt')
    t.equal(missing.stdout, '404')
  })

  await t.test('several files at once, and a file under another name', async t => {
    const several = await seed.run(
      'curl -F file=@hello.txt -F file=@photo.bin http://localhost:5002/upload/inbox',
    )
    t.match(several.json(), [{ filename: 'hello.txt' }, { filename: 'photo.bin', size: 200_000 }])
    const named = await seed.run(
      'curl -F file_obj=@hello.txt -F file_name=greeting.txt http://localhost:5003/upload',
    )
    t.match(named.json(), [{ filename: 'greeting.txt', status: 'uploaded' }])
    t.equal((await seed.run('curl http://localhost:5001/get/greeting.txt')).stdout, 'hello\n')
  })

  await t.test('pairs over HTTP, at every node', async t => {
    const stored = await seed.run(
      `curl -X POST http://localhost:5001/kv -H 'Content-Type: application/json' -d '{"key": "color", "value": "blue"}'`,
    )
    t.match(stored.json(), { key: 'color', value: 'blue', status: 'inserted' })
    for (const port of [5001, 5002, 5003]) {
      const found = (await seed.run(`curl http://localhost:${port}/kv/color`)).json()
      t.same(found, { key: 'color', value: 'blue', status: 'found' })
    }
    await seed.run(
      `curl -X POST http://localhost:5002/kv -H 'Content-Type: application/json' -d '{"key": "color", "value": "red"}'`,
    )
    t.match((await seed.run('curl http://localhost:5003/kv/color')).json(), { value: 'red' }, 'replaced')
    t.match((await seed.run('curl -X DELETE http://localhost:5003/kv/color')).json(), { status: 'deleted' })
    t.equal((await seed.run('curl -w "%{http_code}" -o answer http://localhost:5001/kv/color')).stdout, '404')
  })

  await t.test('a request is answered by whoever is responsible, wherever it is asked', async t => {
    const lookups = []
    for (const port of [5001, 5002, 5003]) {
      lookups.push(
        (await seed.run(`curl http://localhost:${port}/lookup/hello.txt`)).json() as { owner: string },
      )
    }
    t.equal(new Set(lookups.map(({ owner }) => owner)).size, 1, 'all name the same owner')
  })

  await t.test('a node that was stopped comes back with its data', async t => {
    await seed.crash(5002)
    await seed.until('curl http://localhost:5001/get/greeting.txt', ran => ran.stdout === 'hello\n')
    const url = (port: number) => `http://127.0.0.1:${port}`
    await seed.start(`PORT=5002 SELF_URL=${url(5002)} PEERS=${url(5001)},${url(5003)} node start`, 5002)
    await seed.until('curl http://localhost:5002/get/greeting.txt', ran => ran.stdout === 'hello\n')
    t.pass('it is there')
  })
})
