import t from 'tap'
import { MUTANTS, rulesOf } from '../../../src/lab/simulator/chain-mutants.ts'
import type { MutantName } from '../../../src/lab/simulator/scenario.ts'
import { ALL_RULES } from '../../../src/replication/chain/rules.ts'

t.test('each broken variant lacks one rule, and every rule has one', async t => {
  const off = new Set<string>()
  for (const { name } of MUTANTS) {
    const { rules, clusterRules } = rulesOf(name)
    const lacking = [...Object.entries(rules), ...Object.entries(clusterRules)].filter(([, holds]) => !holds)
    t.equal(lacking.length, 1, name)
    off.add(lacking[0]?.[0] as string)
  }
  t.same([...off].sort(), [...Object.keys(ALL_RULES), 'lostDiskIsNewNode'].sort())
})

t.test('production has them all, and nobody can change that', async t => {
  t.equal(rulesOf(undefined).rules, ALL_RULES)
  t.ok(Object.isFrozen(ALL_RULES))
  t.ok(Object.values(ALL_RULES).every(Boolean))
  t.throws(() => rulesOf('unheard-of' as MutantName), TypeError)
})
