import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { measureMemory } from '../../../src/lab/experiments/memory-real.ts'

// Processes take their time to start on a machine that is shared.
t.setTimeout(600_000)

const isLinux = existsSync('/proc/self/status')

t.test('memory of idle nodes', { skip: !isLinux && 'no /proc' }, async t => {
  const scenario = { nodes: 2, virtualNodes: 2, replicas: 2, learn: 'path' as const }
  const { signal } = new AbortController()
  let started = 0
  const figure = await measureMemory({ env: realEnv() }, scenario, { signal, started: () => started++ })
  t.equal(started, 2)
  t.same(figure.mapSizes, [1, 1])
  t.equal(figure.residentBytes.length, 2)
  for (const bytes of figure.residentBytes)
    t.ok(bytes > 2 ** 24 && bytes < 2 ** 30, `${bytes} bytes: a Node.js process, and no more than that`)
})

t.test('an interrupt ends it, and leaves nothing behind', { skip: !isLinux && 'no /proc' }, async t => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const scenario = { nodes: 3, virtualNodes: 1, replicas: 1, learn: 'path' as const }
  const init = { signal: controller.signal, started: () => controller.abort(reason) }
  const before = await folders()
  await t.rejects(measureMemory({ env: realEnv() }, scenario, init), reason)
  const left = (await folders()).filter(name => !before.includes(name))
  t.same(left, [])
})

async function folders(): Promise<string[]> {
  return (await readdir(tmpdir())).filter(name => name.startsWith('altered-chord-experiment-'))
}
