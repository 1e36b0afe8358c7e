/**
 * Two hundred files are overwritten or removed while nodes crash one after the other, and each comes back in its last state.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { errorCode, StoreClient } from '../../src/client/client.ts'
import { Cluster } from './cluster.ts'

t.setTimeout(900_000)

const FILES = 200

/** Files that are written at the same time. */
const AT_ONCE = 2

/** What a client hears while nodes crash; it asks again. */
const PASSING = new Set(['UNAVAILABLE', 'INDETERMINATE', 'REQUEST_TIMEOUT', 'OVERLOADED'])
const TRIES_MAX = 300

/** One in five is larger than what travels in a message. */
const bodyOf = (file: number, version: number) => `${file}-${version}-`.repeat(file % 5 === 0 ? 20_000 : 1)

t.test('what is overwritten or removed during crashes is restored in its last state', async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  const clients = cluster.running.map(({ address }) => new StoreClient({ node: `http://${address}` }))
  t.teardown(() => Promise.all(clients.map(client => client.close())))

  const insist = async <Answer>(act: (client: StoreClient) => Promise<Answer>): Promise<Answer> => {
    for (let tries = 0; ; tries++) {
      try {
        return await act(clients[tries % clients.length] as StoreClient)
      } catch (error) {
        if (!PASSING.has(errorCode(error) ?? '') || tries > TRIES_MAX) throw error
        await delay(200)
      }
    }
  }

  let crashes = 0
  let isOver = false
  const crashing = (async () => {
    while (!isOver) {
      const index = crashes++ % 3
      await cluster.kill(index)
      await delay(500)
      await cluster.restart(index)
      await delay(1000)
    }
    await cluster.settled()
  })()

  const change = async (file: number) => {
    const path = `crash/${file}`
    await insist(client =>
      client.put(path, bodyOf(file, 1), { overwrite: true, idempotencyKey: `put ${file}` }),
    )
    if (file % 2 === 0) {
      const again = { overwrite: true, idempotencyKey: `over ${file}` }
      await insist(client => client.put(path, bodyOf(file, 2), again))
    } else await insist(client => client.remove(path, { idempotencyKey: `remove ${file}` }))
  }
  const waiting = Array.from({ length: FILES }, (_, file) => file)
  const changeNext = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await change(file)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, changeNext))
  isOver = true
  await crashing
  t.ok(crashes >= 1, `${crashes} crashes`)

  for (let file = 0; file < FILES; file++) {
    const to = `back/${file}`
    await insist(client => client.trash.restore(`crash/${file}`, { to, overwrite: true }))
    const got = await insist(async client => {
      const chunks = await (await client.get(to)).body.toArray()
      return Buffer.concat(chunks as Uint8Array[]).toString()
    })
    if (got !== bodyOf(file, 1)) t.fail(`crash/${file} came back as ${got.slice(0, 20)}`)
  }
})
