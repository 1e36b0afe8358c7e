import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'tap'
import { partsOf, withSources } from '../../bench/profile.ts'
import { compiledProgram } from '../e2e/compiled-program.ts'

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 0, columnNumber: 0 })

test('the time of a span is told by part: what V8 does counts for its caller, being idle for nobody', async t => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 5, 6] },
      { id: 2, callFrame: frame('step', 'file:///a/dist/replication/chain/machine.js'), children: [3, 4] },
      { id: 3, callFrame: frame('push') },
      { id: 4, callFrame: frame('pack', 'file:///a/node_modules/@some/pack/index.js') },
      { id: 5, callFrame: frame('(idle)') },
      { id: 6, callFrame: frame('(garbage collector)') },
    ],
    samples: [4, 2, 3, 4, 5, 6, 3, 4],
    timeDeltas: [900, 100, 5, 7, 1000, 3, 5, 2000],
    startTime: 5000,
  }
  const { parts, functions } = partsOf([profile, profile], [6000, 8000])
  t.strictSame(parts, [
    ['src/replication/chain', 220],
    ['@some/pack', 14],
    ['(garbage collector)', 6],
  ])
  t.strictSame(functions[0], ['step src/replication/chain/machine.js:1', 200])
})

test('functions of the compiled program are told by the modules of src', async t => {
  const dist = join(compiledProgram('start.js'), '../dist')
  const lines = readdirSync(dist)
    .filter(name => name.endsWith('.js'))
    .flatMap(name => {
      const found = readFileSync(join(dist, name), 'utf8').split('\n').indexOf('var DigestTree = class {')
      return found < 0 ? [] : [{ url: pathToFileURL(join(dist, name)).href, lineNumber: found }]
    })
  const [place = { url: '', lineNumber: 0 }] = lines
  const callFrame = { functionName: 'DigestTree', columnNumber: 'var DigestTree = '.length, ...place }
  const profile = { nodes: [{ id: 1, callFrame }], samples: [1], timeDeltas: [10], startTime: 0 }
  const { parts } = partsOf([await withSources(profile)], [0, 10])
  t.strictSame(parts, [['src/replication/chain', 10]])
})
