/**
 * System D, DHT with consistency models: insert, query, delete, join, depart and overlay, as requests and in the shell,
 * with a replication factor and chain replication.
 */
import t from 'tap'
import { missingCurl, Seed } from './seed.ts'

t.setTimeout(900_000)

t.test('system D', { skip: missingCurl }, async t => {
  const seed = await Seed.open(t, [5000, 5001, 5002])

  await t.test('the replication factor is chosen with the first node', async t => {
    await seed.start('node start -p 5000 -b 5000 -k 2', 5000)
    await seed.start('node start -p 5001 -b 5000', 5001)
    await seed.keptBy(5000, 2)
    const { receipt } = (await seed.run('curl -X POST http://localhost:5000/insert/factor/two')).json() as {
      receipt: { replicas: string[]; consistency: string }
    }
    t.equal(receipt.replicas.length, 2)
    t.equal(receipt.consistency, 'chain')
    t.match((await seed.run('curl http://localhost:5001/network')).json(), { replicas: 2 })
  })

  await t.test('join', async t => {
    await seed.start('node start -p 5002 -b 5002', 5002)
    t.match(
      (await seed.run(`curl -X POST http://localhost:5002/join -d '{"boot": "127.0.0.1:5000"}'`)).json(),
      {
        status: 'joined',
      },
    )
    await seed.keptBy(5002, 2)
    t.match(
      (await seed.run('curl http://localhost:5002/network')).json(),
      { replicas: 2 },
      'it has learned the factor',
    )
    t.match(
      (await seed.run(`curl -X POST http://localhost:5002/join -d '{"boot": "127.0.0.1:5000"}'`)).json(),
      {
        status: 'member',
      },
    )
  })

  await t.test('insert, query and delete as requests', async t => {
    t.match(
      (await seed.run('curl -X POST http://localhost:5000/insert/Like%20a%20Rolling%20Stone/1')).json(),
      {
        message: 'inserted',
        value: '1',
      },
    )
    t.match(
      (await seed.run('curl -X POST http://localhost:5001/insert/Like%20a%20Rolling%20Stone/2')).json(),
      {
        message: 'updated',
        value: '2',
      },
    )
    for (const port of [5000, 5001, 5002]) {
      t.match((await seed.run(`curl http://localhost:${port}/query/Like%20a%20Rolling%20Stone`)).json(), {
        value: '2',
      })
    }
    await seed.run('curl -X POST http://localhost:5002/insert/Hey%20Jude/apple')
    t.same((await seed.run(`curl 'http://localhost:5001/query/*'`)).json(), {
      message: 'found',
      value: [
        { key: 'Hey Jude', value: 'apple' },
        { key: 'Like a Rolling Stone', value: '2' },
        { key: 'factor', value: 'two' },
      ],
    })
    t.match((await seed.run('curl -X DELETE http://localhost:5002/delete/Hey%20Jude')).json(), {
      message: 'deleted',
    })
    const gone = await seed.run('curl http://localhost:5000/query/Hey%20Jude')
    t.match(gone.json(), { error: { code: 'FILE_NOT_FOUND', message: 'No pair has this key.' } })
  })

  await t.test('after a write, every node reads it: the chain is strongly consistent', async t => {
    for (let i = 0; i < 5; i++) {
      const [writer, reader] = [5000 + (i % 3), 5000 + ((i + 1) % 3)]
      await seed.run(`curl -X POST http://localhost:${writer}/insert/counter/${i}`)
      t.match((await seed.run(`curl http://localhost:${reader}/query/counter`)).json(), { value: String(i) })
    }
  })

  await t.test('overlay', async t => {
    const { ranges } = (await seed.run('curl http://localhost:5001/overlay')).json() as {
      ranges: { lo: string; hi: string; share: number; head: string }[]
    }
    t.same(
      ranges.map(({ lo }) => lo),
      ranges.map((_, i) => ranges.at(i - 1)?.hi),
      'each range begins where the one before ends',
    )
    t.same(
      new Set(ranges.map(({ head }) => seed.shown(head))),
      new Set([5000, 5001, 5002].map(port => `127.0.0.1:${port}`)),
    )
    const drawn = await seed.run('altered-chord overlay --node 5001 --ring')
    t.match(drawn.stdout, /3 nodes/)
    t.match(seed.shown(drawn.stdout), /^[ABC] {2}127\.0\.0\.1:5002 .* % {2}head of/m)
  })

  await t.test('the same in the shell', async t => {
    const shell = await seed.run(
      'altered-chord shell --node 5000',
      seed.here(
        [
          'listnodes',
          'insert "Hotel California" eagles',
          'setnode 127.0.0.1:5002',
          'query "Hotel California"',
          'query *',
          'delete "Hotel California"',
          'overlay',
          'lookup "kv/Like a Rolling Stone"',
          'exit',
          '',
        ].join('\n'),
      ),
    )
    t.equal(shell.code, 0, shell.stderr)
    const lines = seed.shown(shell.stdout).split('\n')
    const nodes = ['* 127.0.0.1:5000  alive', '  127.0.0.1:5001  alive', '  127.0.0.1:5002  alive']
    t.same(new Set(lines.slice(0, 3)), new Set(nodes))
    t.same(lines.slice(3, 9), [
      'inserted',
      'eagles',
      '{"key":"Hotel California","value":"eagles"}',
      '{"key":"Like a Rolling Stone","value":"2"}',
      '{"key":"counter","value":"4"}',
      '{"key":"factor","value":"two"}',
    ])
    t.equal(lines[9], 'deleted')
    t.match(shell.stdout, /head of \d+, keeps \d+ of 24 ranges/)
    t.match(shell.stdout, /^owner {5}127/m)
    const refused = await seed.run('altered-chord shell --node 5000', 'query "Hotel California"\n')
    t.equal(refused.code, 1)
    t.match(refused.stderr, /No pair has this key/)
  })

  await t.test('depart, as a request and in the shell', async t => {
    t.match((await seed.run('curl -X POST http://localhost:5001/depart')).json(), { status: 'departed' })
    t.same(await seed.node(5001).exited, { code: 0, signal: null })
    t.match((await seed.run('curl http://localhost:5002/query/factor')).json(), { value: 'two' })
    const shell = await seed.run('altered-chord shell --node 5002', 'depart\n')
    t.equal(shell.stdout, 'departed\n')
    t.same(await seed.node(5002).exited, { code: 0, signal: null })
    t.match((await seed.run('curl http://localhost:5000/query/Like%20a%20Rolling%20Stone')).json(), {
      value: '2',
    })
  })
})
