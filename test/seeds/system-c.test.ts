/**
 * System C, P2P with gossip: safe file names, allowed types, pairs of any value, a bootstrap node and retries.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { missingCurl, Seed } from './seed.ts'

t.setTimeout(900_000)

t.test('system C', { skip: missingCurl }, async t => {
  const seed = await Seed.open(t, [5000, 5001])
  await writeFile(join(seed.folder, 'x.txt'), 'x\n')

  await t.test('a node waits for its bootstrap node, and finds the others through it', async t => {
    const late = seed.start('node start -p 5001 -b 5000 --allow-extensions txt,png', 5001)
    await seed.start('node start -p 5000 -b 5000 --allow-extensions txt,png', 5000)
    await late
    for (const port of [5000, 5001]) {
      const { nodes } = (await seed.run(`curl http://localhost:${port}/network`)).json() as {
        nodes: unknown[]
      }
      t.equal(nodes.length, 2)
    }
  })

  await t.test('file names are made safe', async t => {
    const cases: [string, string][] = [
      ['../../etc/passwd.txt', 'passwd.txt'],
      ['/etc/shadow.txt', 'shadow.txt'],
      ['C:\\\\Users\\\\me\\\\y.txt', 'y.txt'],
      ['.htaccess.txt', 'htaccess.txt'],
      ['caf\u00e9 \u65e5\u672c.txt', 'caf\u00e9 \u65e5\u672c.txt'],
      [`${'a'.repeat(300)}.txt`, `${'a'.repeat(251)}.txt`],
    ]
    for (const [i, [given, safe]] of cases.entries()) {
      const uploaded = await seed.run(
        `curl -F 'file=@x.txt;filename="${given}"' http://localhost:5000/upload/${i}`,
      )
      t.match(uploaded.json(), [{ filename: safe, path: `${i}/${safe}` }], given)
      const asField = await seed.run(
        `curl -F file_obj=@x.txt -F 'file_name=${given.replaceAll('\\\\', '\\')}' http://localhost:5001/upload/field${i}`,
      )
      t.match(asField.json(), [{ filename: safe, path: `field${i}/${safe}` }], given)
    }
    const none = await seed.run(`curl -F 'file=@x.txt;filename=".."' http://localhost:5000/upload`)
    t.match(none.json(), {
      error: { code: 'INVALID_REQUEST', message: '".." can\'t be made a safe file name.' },
    })
  })

  await t.test('only allowed types come in', async t => {
    const cases: [string, string][] = [
      ['x.png', '201'],
      ['x.PNG', '201'],
      ['x.exe', '415'],
      ['x.png.exe', '415'],
      ['.htaccess', '415'],
    ]
    for (const [name, status] of cases) {
      const line = `curl -F 'file=@x.txt;filename="${name}"' -o answer -w '%{http_code}' http://localhost:5001/upload/types`
      t.equal((await seed.run(line)).stdout, status, name)
    }
    const refused = await seed.run('curl -F "file=@x.txt;filename=x.exe" http://localhost:5000/upload')
    t.match(refused.json(), {
      error: { code: 'TYPE_NOT_ALLOWED', message: 'Only files named *.txt, *.png come in.' },
    })
    t.match((await seed.run('curl -T x.txt http://localhost:5000/put/x.exe')).json(), {
      error: { code: 'TYPE_NOT_ALLOWED' },
    })
  })

  await t.test('a download has the name of the file, whatever its letters', async t => {
    const got = await seed.run(
      `curl -D - -o saved 'http://localhost:5001/download/4/caf%C3%A9%20%E6%97%A5%E6%9C%AC.txt'`,
    )
    t.match(
      got.stdout,
      /content-disposition: attachment; filename="caf. \?\?.txt"; filename\*=UTF-8''caf%C3%A9%20%E6%97%A5%E6%9C%AC.txt/i,
    )
    t.equal(await readFile(join(seed.folder, 'saved'), 'utf8'), 'x\n')
  })

  await t.test('pairs of any value', async t => {
    for (const [i, value] of [
      '"text"',
      '1.50',
      '12345678901234567890',
      'true',
      'null',
      '[1,[2,{"a":[]}]]',
      '{"é":"😀"}',
    ].entries()) {
      await seed.run(`curl -X POST http://localhost:5000/kv -d '{"key": ${i}, "value": ${value}}'`)
      t.equal(
        (await seed.run(`curl http://localhost:5001/kv/${i}`)).stdout,
        `{"key":"${i}","value":${value},"status":"found"}\n`,
      )
    }
  })

  await t.test('forms and pairs that are none are refused with a sentence', async t => {
    const cases: [string, RegExp][] = [
      ['curl -F comment=hello http://localhost:5000/upload', /The form has no file/],
      ['curl -d file=x http://localhost:5000/upload', /takes a form of the type multipart/],
      [`curl -d 'no json' http://localhost:5000/kv`, /The body is not JSON/],
      [`curl -X POST http://localhost:5000/kv`, /The body is empty/],
      [`curl -d '{"key":"","value":1}' http://localhost:5000/kv`, /it is empty/],
      [`curl http://localhost:5000/kv/%ff`, /does not encode UTF-8/],
    ]
    for (const [line, message] of cases) {
      const { error } = (await seed.run(line)).json() as { error: { message: string } }
      t.match(error.message, message, line)
    }
    t.equal((await seed.run('curl http://localhost:5000/health')).stdout, '{"status":"ok"}\n')
  })
})

t.test('system C: gossip', { skip: missingCurl }, async t => {
  const ports = [5000, 5001, 5002]
  const seed = await Seed.open(t, ports)
  for (const port of ports) await seed.start(`node start -p ${port} -b 5000 --gossip`, port)

  await t.test('gossip with a TTL spreads pairs, which go with their time', async t => {
    const set = await seed.run('altered-chord gossip set color blue --ttl 600 --node 5000')
    t.same([set.code, set.stdout], [0, 'color  for 600 s\n'], set.stderr)
    const put = await seed.run('curl -X PUT -d large "http://localhost:5001/gossip/size?ttl=600"')
    t.match(put.json(), { key: 'size', value: 'large' })
    for (const port of ports) {
      await seed.until(`altered-chord gossip get color --node ${port}`, ({ stdout }) => stdout === 'blue\n')
      await seed.until(
        `curl http://localhost:${port}/gossip/size`,
        ran => (ran.json() as { value: string }).value === 'large',
      )
      await seed.until(
        `altered-chord gossip list --node ${port}`,
        ({ stdout }) => stdout.split('\n').length === 3,
      )
    }
    await seed.run('altered-chord gossip set color blue --ttl 10 --node 5002')
    for (const port of ports)
      await seed.until(`curl http://localhost:${port}/gossip/color`, ran => /FILE_NOT_FOUND/.test(ran.stdout))
    const late = await seed.run('altered-chord gossip set color blue --ttl 1000000000 --node 5000')
    t.match(late, { code: 1, stderr: /A TTL is 1 to 86400 seconds/ })
  })

  await t.test('nodes tell each other what they know, though nobody asks for anything', async t => {
    for (const port of ports) {
      const { gossip } = (
        await seed.until(
          `curl http://localhost:${port}/status`,
          ran =>
            (ran.json() as { gossip: { members: { belief: string }[] } }).gossip.members.every(
              ({ belief }) => belief === 'alive',
            ) && (ran.json() as { gossip: { members: unknown[] } }).gossip.members.length === 2,
        )
      ).json() as { gossip: { messages: number } }
      t.ok(gossip.messages > 0)
    }
  })
})
