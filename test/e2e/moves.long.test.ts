/**
 * Moves and copies onto a path that others write or remove without a pause, on real nodes: each is told as it was.
 */
import t, { type Test } from 'tap'
import { sha256Of } from './client.ts'
import { Cluster, type ClusterNode } from './cluster.ts'

t.setTimeout(300_000)

interface Receipt {
  readonly path: string
  readonly sha256: string
  readonly etag: string
}

interface Told {
  readonly status: number
  readonly text: string
  readonly receipt: Receipt | undefined
}

/** What another client does to the destination all the time; how often it was done is what a mover is up against. */
class Rival {
  count = 0
  readonly #ended: Promise<void>
  #isOver = false

  constructor(act: (round: number) => Promise<unknown>) {
    this.#ended = (async () => {
      while (!this.#isOver) await act(++this.count)
    })()
  }

  end(): Promise<void> {
    this.#isOver = true
    return this.#ended
  }
}

async function ask(node: ClusterNode, verb: 'move' | 'copy', from: string, to: string, query = '') {
  const places = [from, to].map(encodeURIComponent).join('/')
  const reply = await node.client.send('POST', `/${verb}/${places}${query}`)
  const text = reply.body.toString()
  return {
    status: reply.status,
    text,
    receipt: reply.status < 300 ? (JSON.parse(text) as Receipt) : undefined,
  }
}

const ROUNDS = 24

t.test('a destination that others write or remove all the time', async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  const at = (index: number) => cluster.node(index % 3)

  /** Moves and copies in turn, each of bytes of its own, by every node, while rivals are at the destination. */
  async function contend(t: Test, name: string, rivals: readonly Rival[]): Promise<void> {
    const told: { readonly what: string; readonly sha256: string; readonly told: Told }[] = []
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const [source, bytes] = [`${name}/source-${round}`, `mine ${name} ${round}`]
        t.equal((await at(round).client.put(source, bytes)).status, 201)
        const verb = round % 4 === 3 ? 'copy' : 'move'
        const answer = await ask(at(round + 1), verb, source, `${name}/to`, '?overwrite=true')
        told.push({ what: `${verb} ${source}`, sha256: sha256Of(bytes), told: answer })
        const { status } = await at(round + 2).client.send('HEAD', `/get/${source}`)
        t.equal(status, verb === 'move' ? 404 : 200, `${source} after its ${verb}`)
      }
    } finally {
      await Promise.all(rivals.map(rival => rival.end()))
    }
    t.same(
      told.filter(({ told }) => told.receipt === undefined),
      [],
      'each has succeeded, and has its receipt',
    )
    t.same(
      told.filter(({ sha256, told }) => told.receipt?.sha256 !== sha256),
      [],
      'each receipt is that of its own copy',
    )
    t.equal(new Set(told.map(({ told }) => told.receipt?.etag)).size, ROUNDS, 'each has a version of its own')
    for (const { count } of rivals) t.ok(count > 1, `a rival came ${count} times`)
  }

  await t.test('two who overwrite it', t =>
    contend(
      t,
      'written',
      [0, 2].map(
        index =>
          new Rival(round =>
            at(index).client.put('written/to', `other ${index} ${round}`, { query: '?overwrite=true' }),
          ),
      ),
    ),
  )
  await t.test('one who removes it, one who moves onto it', t =>
    contend(t, 'removed', [
      new Rival(() => at(0).client.send('DELETE', '/remove/removed/to')),
      new Rival(async round => {
        await at(1).client.put('removed/rival', `rival ${round}`, { query: '?overwrite=true' })
        await ask(at(1), 'move', 'removed/rival', 'removed/to', '?overwrite=true')
      }),
    ]),
  )

  await t.test('a move to where nobody ever wrote is never refused for a file there', async t => {
    const rival = new Rival(round =>
      at(0).client.put('from/source', `again ${round}`, { query: '?overwrite=true' }),
    )
    const codes: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const { status, text, receipt } = await ask(at(round), 'move', 'from/source', `to/${round}`)
      const code = receipt === undefined ? (JSON.parse(text) as { error: { code: string } }).error.code : ''
      codes.push(code)
      if (code !== '') t.equal(code, 'FILE_NOT_FOUND', 'it was moved away, and is not there again yet')
      else t.equal(status, 201)
    }
    await rival.end()
    t.ok(codes.includes(''), 'some have moved')
    for (const [round, code] of codes.entries()) {
      const { status } = await at(round + 1).client.send('HEAD', `/get/to/${round}`)
      t.equal(status, code === '' ? 200 : 404, `to/${round}`)
    }
  })
})
