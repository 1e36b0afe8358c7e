import t from 'tap'
import { runEventualWorld } from '../../src/lab/simulator/eventual-world.ts'

t.setTimeout(600_000)

/** Worlds that each change is tried in. */
const SEEDS = Number(process.env.TEST_EVENTUAL_SEEDS ?? 15)

t.test('nothing is lost unseen and nothing comes back, in any of these worlds', async t => {
  const all = { accepted: 0, conflicts: 0, collected: 0, crashes: 0, large: 0, wiped: 0, full: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { digest: _, ...report } = await runEventualWorld(seed)
    for (const name of Object.keys(all) as (keyof typeof all)[]) all[name] += report[name]
  }
  t.comment(JSON.stringify(all))
  for (const [name, count] of Object.entries(all)) t.ok(count > 0, `there was some of ${name}`)
})

t.test('two runs of one seed are the same, and those of two seeds are not', async t => {
  const digests = []
  for (const seed of [1, 1, 2]) digests.push((await runEventualWorld(seed)).digest)
  t.equal(digests[0], digests[1])
  t.not(digests[0], digests[2])
})
