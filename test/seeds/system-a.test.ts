/**
 * System A, Altered Chord (the core): a ring that is found from one node, files that are copied three times, and lookups
 * that bring back the chain of visited nodes.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { missingCurl, Seed } from './seed.ts'

t.setTimeout(900_000)

t.test('system A', { skip: missingCurl }, async t => {
  const seed = await Seed.open(t, [5000, 5001, 5002, 5003])
  await writeFile(join(seed.folder, 'song.txt'), 'la la la\n')

  await t.test('the first node founds a network, the others join it', async t => {
    // Both ports are 5000 by default there; here another port stands for that one.
    await seed.start('node start -p 5000 -b 5000', 5000)
    await seed.start('node start -p 5001 -b 5000', 5001)
    await seed.start('node start -p 5002 -b 5001', 5002)
    await seed.start('node start -p 5003 -b 5000', 5003)
    await seed.keptBy(5000, 3)
    const { nodes } = (await seed.run('curl http://localhost:5003/network')).json() as {
      nodes: { address: string }[]
    }
    t.same(
      nodes.map(({ address }) => seed.shown(address)).sort(),
      [5000, 5001, 5002, 5003].map(port => `127.0.0.1:${port}`),
    )
  })

  await t.test('exists, put and get at any node', async t => {
    t.equal((await seed.run('curl http://localhost:5000/exists/music/song.txt')).stdout, 'false\n')
    const put = await seed.run('curl -X PUT --data-binary @song.txt http://localhost:5001/put/music/song.txt')
    t.match(put.json(), { path: 'music/song.txt', size: 9, consistency: 'chain', durable: true })
    t.equal((put.json() as { replicas: string[] }).replicas.length, 3, 'three copies')
    for (const port of [5000, 5001, 5002, 5003]) {
      t.equal((await seed.run(`curl http://localhost:${port}/exists/music/song.txt`)).stdout, 'true\n')
      t.equal((await seed.run(`curl http://localhost:${port}/get/music/song.txt`)).stdout, 'la la la\n')
    }
    const again = await seed.run(
      'curl -X PUT --data-binary @song.txt http://localhost:5002/put/music/song.txt',
    )
    t.match(again.json(), { error: { code: 'FILE_EXISTS' } }, 'a put creates')
    const posted = await seed.run(
      'curl -X POST --data-binary @song.txt http://localhost:5002/put/music/posted.txt',
    )
    t.match(posted.json(), { path: 'music/posted.txt' })
  })

  await t.test('copy, in its two forms', async t => {
    const copied = await seed.run('curl http://localhost:5002/copy/music%2Fsong.txt/copy.txt')
    t.match(copied.json(), { path: 'copy.txt', size: 9 })
    const named = await seed.run(
      'curl -X POST "http://localhost:5003/copy?source_path=music/song.txt&destination_path=music/again.txt"',
    )
    t.match(named.json(), { path: 'music/again.txt', size: 9 })
    t.equal((await seed.run('curl http://localhost:5000/get/copy.txt')).stdout, 'la la la\n')
    t.equal((await seed.run('curl http://localhost:5000/get/music/again.txt')).stdout, 'la la la\n')
    const missing = await seed.run('curl http://localhost:5000/copy/none/x')
    t.match(missing.json(), { error: { code: 'FILE_NOT_FOUND' } })
  })

  await t.test('list and remove', async t => {
    const paths = async (port: number) =>
      (
        (await seed.run(`curl http://localhost:${port}/list`)).json() as { files: { path: string }[] }
      ).files.map(({ path }) => path)
    t.same(await paths(5001), ['copy.txt', 'music/again.txt', 'music/posted.txt', 'music/song.txt'])
    const removed = await seed.run(
      'curl -X DELETE -w "%{http_code}" http://localhost:5003/remove/music/posted.txt',
    )
    t.equal(removed.stdout, '204')
    t.same(await paths(5000), ['copy.txt', 'music/again.txt', 'music/song.txt'])
    t.equal((await seed.run('curl http://localhost:5001/exists/music/posted.txt')).stdout, 'false\n')
  })

  await t.test('a lookup brings back the nodes that it visited', async t => {
    const { owner, replicas, chain, hops } = (
      await seed.run('curl http://localhost:5002/lookup/music/song.txt')
    ).json() as { owner: string; replicas: string[]; chain: string[]; hops: number }
    t.equal(seed.shown(chain[0] ?? ''), '127.0.0.1:5002', 'the asked node first')
    t.equal(owner, replicas[0])
    t.ok(hops <= 2, 'the network is small')
    const header = await seed.run('curl -D - -o body http://localhost:5002/get/music/song.txt')
    t.match(seed.shown(header.stdout), /ring-chain: 127\.0\.0\.1:5002/i)
  })

  await t.test('files are alive after two crashes, one after the other', async t => {
    for (const [port, left] of [
      [5000, 3],
      [5002, 2],
    ] as const) {
      await seed.crash(port)
      for (const path of ['music/song.txt', 'copy.txt', 'music/again.txt']) {
        await seed.until(`curl http://localhost:5001/get/${path}`, ran => ran.stdout === 'la la la\n')
        await seed.until(`curl http://localhost:5003/get/${path}`, ran => ran.stdout === 'la la la\n')
      }
      // Every range hears of the crash when it is asked for something.
      await seed.until(
        `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do curl -X PUT -d x -o /dev/null -w '%{http_code} ' "http://localhost:5001/put/after/${port}/$i?overwrite=true"; done`,
        ran => /^(?:20[01] ){20}$/.test(ran.stdout),
      )
      t.pass(`${left} nodes are left, and everything is there`)
    }
  })
})
