/**
 * System E, Kelips with gossip failure detection: its paths, its settings file, and members that are dropped.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { missingCurl, Seed } from './seed.ts'

t.setTimeout(900_000)

t.test('system E', { skip: missingCurl }, async t => {
  const seed = await Seed.open(t, [8001, 8002])
  await writeFile(join(seed.folder, 'notes.txt'), 'notes\n')
  await seed.start('node start -p 8001 -b 8001', 8001)
  await seed.start('node start -p 8002 -b 8001', 8002)

  await t.test('a list of active nodes', async t => {
    for (const port of [8001, 8002]) {
      for (const rest of ['getActiveList', '127.0.0.1:8002']) {
        const list = (
          await seed.run(`curl http://localhost:${port}/bootstrapServer/${rest}`)
        ).json() as string[]
        t.same(list.map(address => seed.shown(address)).sort(), ['127.0.0.1:8001', '127.0.0.1:8002'])
      }
    }
  })

  await t.test('upload and download under its paths', async t => {
    const uploaded = await seed.run(
      'curl -X POST -F file=@notes.txt http://localhost:8001/admin/webapp/upload/',
    )
    t.match(uploaded.json(), [{ filename: 'notes.txt', status: 'uploaded' }])
    const got = await seed.run(
      'curl -o saved "http://localhost:8002/admin/webapp/download?fileName=notes.txt"',
    )
    t.equal(got.code, 0, got.stderr)
    t.equal(await readFile(join(seed.folder, 'saved'), 'utf8'), 'notes\n')
  })
})

t.test('system E: gossip failure detection', { skip: missingCurl }, async t => {
  const ports = [8001, 8002, 8003]
  const seed = await Seed.open(t, ports)
  const settings = join(seed.folder, 'gossip.yaml')
  await writeFile(settings, 'period: 250ms\nfan-out: 2\nt-fail: 5s\nttl: 1m\n')
  for (const port of ports) await seed.start(`node start -p ${port} -b 8001 --gossip ${settings}`, port)
  const active = (ran: { json(): unknown }) =>
    (ran.json() as string[])
      .map(address => seed.shown(address))
      .sort()
      .join()

  await t.test('gossip settings in a file', async t => {
    const { gossip } = (await seed.run('curl http://localhost:8001/status')).json() as { gossip: object }
    t.match(gossip, { periodMs: 250, fanOut: 2, failMs: 5_000, failsAfterMs: Number })
    await writeFile(join(seed.folder, 'bad.yaml'), 't-fail: 10\n')
    const refused = await seed.run('altered-chord start -p 8004 --gossip bad.yaml --memory')
    t.match(refused, {
      code: 2,
      stderr: /t-fail in bad\.yaml is "10", and can be 500 ms to 1 h, as in 10s/,
    })
  })

  await t.test('heartbeats, and members dropped after 2 x T_fail', async t => {
    const all = '127.0.0.1:8001,127.0.0.1:8002,127.0.0.1:8003'
    for (const port of ports)
      await seed.until(
        `curl http://localhost:${port}/bootstrapServer/getActiveList`,
        ran => active(ran) === all,
      )
    await seed.keptBy(8001, 3)
    await seed.crash(8003)
    for (const port of [8001, 8002]) {
      await seed.until(
        `curl http://localhost:${port}/bootstrapServer/getActiveList`,
        ran => active(ran) === '127.0.0.1:8001,127.0.0.1:8002',
      )
      const list = await seed.run(`curl "http://localhost:${port}/overlay?active=true"`)
      t.equal((list.json() as { active: unknown[] }).active.length, 2)
    }
    await seed.keptBy(8001, 2)
    const shown = await seed.run('altered-chord overlay --watch 1 --node 8001')
    t.match(
      seed.shown(shown.stdout),
      /127\.0\.0\.1:8003 {2}failed for \d+ s: no heartbeat for .* do not reach it/,
    )
  })

  await t.test('a node is added by telling any node of it', async t => {
    await seed.start(`node start -p 8003 -b 8001 --gossip ${settings}`, 8003)
    const added = await seed.run('curl -X POST http://localhost:8002/bootstrapServer/127.0.0.1:8003')
    t.match(active(added), /8003/)
    for (const port of ports)
      await seed.until(`curl http://localhost:${port}/bootstrapServer/getActiveList`, ran =>
        /8003/.test(active(ran)),
      )
  })
})
