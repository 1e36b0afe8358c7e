import { stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { SpaceReserve } from '../../src/storage/space-reserve.ts'

const { randomness } = realEnv()

t.test('the reserve is taken, kept over a restart, given up and taken again', async t => {
  const directory = t.testdir()
  const file = join(directory, 'reserve')
  const reserve = new SpaceReserve({ randomness }, { directory })
  t.equal(reserve.held, false)
  await reserve.tryTake()
  t.equal(reserve.held, true)
  const { size, mtimeMs } = await stat(file)
  t.equal(size, 4 * 1024 * 1024)
  const restarted = new SpaceReserve({ randomness }, { directory })
  await restarted.tryTake()
  t.equal((await stat(file)).mtimeMs, mtimeMs, 'not written again')
  await restarted.giveUp()
  await restarted.giveUp()
  t.equal(restarted.held, false)
  await t.rejects(stat(file), { code: 'ENOENT' })
  await restarted.assertHeld()
  t.equal(restarted.held, true)
})

t.test('a reserve that was cut short by a crash is written anew', async t => {
  const directory = t.testdir()
  const reserve = new SpaceReserve({ randomness }, { directory })
  await reserve.tryTake()
  await truncate(join(directory, 'reserve'), 100)
  const restarted = new SpaceReserve({ randomness }, { directory })
  await restarted.tryTake()
  t.ok((await stat(join(directory, 'reserve'))).size > 100)
})
