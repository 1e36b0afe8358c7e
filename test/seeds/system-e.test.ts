/**
 * System E, Kelips with gossip failure detection: so far its paths.
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
