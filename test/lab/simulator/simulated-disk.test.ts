import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { type DiskInit, SimulatedDisk } from '../../../src/lab/simulator/simulated-disk.ts'
import { TimerScope } from '../../../src/lab/simulator/timer-scope.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

function world(seed = 1, init: Partial<DiskInit<string>> = {}) {
  const clock = new VirtualClock()
  const timers = new TimerScope({ timers: clock })
  const disk = new SimulatedDisk<string>(
    { timers, random: new SeededRandom(seed) },
    { syncMinMs: 1, syncMaxMs: 3, tear: 0.5, ...init },
  )
  const synced = () => {
    let error: unknown
    disk.sync(failure => {
      error = failure
    })
    clock.runUntil(clock.monotonicMs() + 3)
    return error
  }
  return { clock, timers, disk, synced }
}

t.test('a commit can be read at once and removed again', async t => {
  const { disk } = world()
  disk.write([
    ['b', '1'],
    ['a/1', '2'],
    ['a/2', '3'],
  ])
  disk.write([['a/2', undefined]])
  t.equal(disk.read('b'), '1')
  t.equal(disk.read('a/2'), undefined)
  t.same(disk.keys(), ['a/1', 'b'])
  t.same(disk.keys('a/'), ['a/1'])
})

t.test('a sync takes its time and covers what was written before it, not what came after', async t => {
  const { clock, disk } = world(1, { syncMinMs: 2, syncMaxMs: 2 })
  disk.write([['a', '1']])
  disk.sync(error => t.equal(error, undefined))
  disk.write([['a', '2']])
  clock.runUntil(1.9)
  t.equal(disk.unsyncedCommits, 2)
  clock.runUntil(2)
  t.equal(disk.unsyncedCommits, 1)
  for (let seed = 0; ; seed++) {
    const other = world(seed)
    other.disk.write([['a', '1']])
    other.synced()
    other.disk.write([['a', '2']])
    if (other.disk.crash().lostCommits === 0) continue
    t.equal(other.disk.read('a'), '1')
    break
  }
})

t.test('a later sync that ends first covers the earlier one', async t => {
  for (let seed = 0; seed < 20; seed++) {
    const { clock, disk } = world(seed, { syncMinMs: 0, syncMaxMs: 10 })
    const ended: number[] = []
    disk.write([['a', '1']])
    disk.sync(() => ended.push(1))
    disk.write([['b', '2']])
    disk.sync(() => ended.push(2))
    clock.step()
    if (ended[0] !== 2) continue
    t.equal(disk.unsyncedCommits, 0)
    disk.write([['c', '3']])
    clock.step()
    t.same(ended, [2, 1])
    t.equal(disk.unsyncedCommits, 1, 'the earlier sync does not cover what came after it')
    return
  }
  t.fail('no seed had the later sync end first')
})

t.test(
  'a crash keeps a prefix of the commits, each whole or not at all, and never what was synced less',
  async t => {
    const losses = new Map<number, number>()
    let torn = 0
    for (let seed = 0; seed < 500; seed++) {
      const { clock, timers, disk } = world(seed)
      disk.write([['x', 'durable']])
      disk.sync(() => {})
      clock.runUntil(3)
      for (let commit = 1; commit <= 3; commit++) {
        disk.write([
          [`left${commit}`, `${commit}`],
          [`right${commit}`, `${commit}`],
          ['x', `${commit}`],
        ])
      }
      disk.sync(() => t.fail('the node has crashed before'))
      timers.clear()
      const loss = disk.crash()
      clock.runUntil(100)
      losses.set(loss.lostCommits, (losses.get(loss.lostCommits) ?? 0) + 1)
      if (loss.torn) torn++
      assert.ok(!(loss.torn && loss.lostCommits === 0), 'a torn commit is lost')
      const kept = 3 - loss.lostCommits
      assert.equal(disk.read('x'), kept === 0 ? 'durable' : `${kept}`)
      for (let commit = 1; commit <= 3; commit++) {
        const expected = commit <= kept ? `${commit}` : undefined
        assert.equal(disk.read(`left${commit}`), expected)
        assert.equal(disk.read(`right${commit}`), expected)
      }
      assert.equal(disk.unsyncedCommits, 0)
    }
    t.same([...losses.keys()].sort(), [0, 1, 2, 3], 'every prefix occurs')
    t.ok(torn > 100 && torn < 300, `torn ${torn}`)
  },
)

t.test('a sync of a paused node is not seen to end', async t => {
  const { clock, timers, disk } = world()
  let ended = false
  disk.write([['a', '1']])
  disk.sync(() => {
    ended = true
  })
  timers.pause()
  clock.runUntil(100)
  t.equal(ended, false)
  timers.resume()
  clock.runUntil(100)
  t.equal(ended, true)
})

t.test('a full disk takes removals only, and all of a commit or nothing', async t => {
  const { disk, synced } = world()
  disk.write([
    ['a', '1'],
    ['b', '1'],
  ])
  disk.setFault('full')
  t.throws(() => disk.write([['a', '2']]), { code: 'DISK_FULL' })
  t.throws(
    () =>
      disk.write([
        ['b', undefined],
        ['c', '1'],
      ]),
    { code: 'DISK_FULL' },
  )
  t.same([disk.read('a'), disk.read('b'), disk.read('c')], ['1', '1', undefined])
  disk.write([['b', undefined]])
  t.equal(disk.read('b'), undefined)
  t.equal(synced(), undefined)
  disk.setFault('none')
  disk.write([['c', '1']])
  t.equal(disk.read('c'), '1')
})

t.test('a broken disk neither writes nor syncs', async t => {
  const { disk, synced } = world()
  disk.write([['a', '1']])
  disk.setFault('broken')
  t.match(synced(), { code: 'INTERNAL' })
  t.throws(() => disk.write([['a', undefined]]), { code: 'INTERNAL' })
  t.equal(disk.unsyncedCommits, 1, 'a failed sync has kept nothing')
  t.equal(disk.fault, 'broken')
})

t.test('a damaged value is refused, and healed by a write that lasts', async t => {
  const { disk, synced } = world()
  disk.write([
    ['a', '1'],
    ['b', '1'],
  ])
  t.equal(disk.rot('a'), false, 'it does not lie on the disk yet')
  synced()
  t.equal(disk.rot('a'), true)
  t.throws(() => disk.read('a'), { code: 'CORRUPT' })
  t.same(disk.keys(), ['a', 'b'])
  t.equal(disk.read('b'), '1')
  disk.crash()
  t.throws(() => disk.read('a'), { code: 'CORRUPT' }, 'after a restart as well')
  disk.write([['a', '2']])
  t.equal(disk.read('a'), '2')
  synced()
  disk.crash()
  t.equal(disk.read('a'), '2')
})

t.test('a crash that takes the healing write brings the damage back', async t => {
  for (let seed = 0; ; seed++) {
    const { disk, synced } = world(seed)
    disk.write([['a', '1']])
    synced()
    disk.rot('a')
    disk.write([['a', '2']])
    t.equal(disk.read('a'), '2')
    if (disk.crash().lostCommits === 0) continue
    t.throws(() => disk.read('a'), { code: 'CORRUPT' })
    return
  }
})

t.test('a disk can be wiped, and an old copy put in its place', async t => {
  const { disk, synced } = world()
  disk.write([['a', '1']])
  synced()
  disk.write([['b', 'not durable, so not in the copy']])
  const image = disk.snapshot()
  synced()
  disk.write([['a', '2']])
  t.throws(() => disk.wipe(), TypeError, 'not while it is written')
  synced()
  disk.wipe()
  t.same(disk.keys(), [])
  disk.restore(image)
  t.same(disk.keys(), ['a'])
  t.equal(disk.read('a'), '1')
  disk.write([['a', '3']])
  synced()
  t.equal(image.entries.get('a'), '1', 'the copy stays as it was')
  disk.restore(image)
  t.equal(disk.read('a'), '1')
})

t.test('values are kept apart from their writers where a copy is made', async t => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk<{ count: number }>(
    { timers: clock, random: new SeededRandom(1) },
    { syncMinMs: 1, syncMaxMs: 1, tear: 0, copy: structuredClone },
  )
  const value = { count: 1 }
  disk.write([['a', value]])
  value.count = 2
  t.same(disk.read('a'), { count: 1 })
  const read = disk.read('a') as { count: number }
  read.count = 3
  t.same(disk.read('a'), { count: 1 })
})

t.test('whatever happens, the disk shows the commits of some prefix that holds all synced ones', async () => {
  const act = fc.constantFrom('write', 'write', 'write', 'sync', 'wait', 'crash')
  fc.assert(
    fc.property(fc.nat(), fc.array(act, { maxLength: 50 }), (seed, acts) => {
      const { clock, timers, disk } = world(seed)
      let written = 0
      let promised = 0
      for (const kind of acts) {
        if (kind === 'write') {
          written++
          disk.write([
            ['count', `${written}`],
            [`commit${written}`, 'x'],
          ])
        } else if (kind === 'sync') {
          const upTo = written
          disk.sync(() => {
            promised = Math.max(promised, upTo)
          })
        } else if (kind === 'wait') {
          clock.runUntil(clock.monotonicMs() + 1)
        } else {
          timers.clear()
          const { lostCommits } = disk.crash()
          assert.ok(written - lostCommits >= promised, 'a promise was kept')
          written -= lostCommits
        }
        assert.equal(Number(disk.read('count') ?? '0'), written)
        assert.equal(disk.keys('commit').filter(key => key !== 'count' && key !== 'commit').length, written)
      }
    }),
    { numRuns: 300 },
  )
})
