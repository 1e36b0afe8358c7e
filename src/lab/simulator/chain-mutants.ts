/**
 * Owns the broken variants of the chain protocol: each is one rule switched off, to show that its loss is noticed.
 */
import { ALL_RULES, type Rules } from '../../replication/chain/rules.ts'
import type { ClusterRules } from './chain-cluster.ts'
import type { Mutant, MutantName } from './scenario.ts'

interface Variant {
  readonly rule: string
  readonly runsMax: number
  readonly off: keyof Rules | keyof ClusterRules
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  'no-request-ids': { rule: 'request ids and expected versions', runsMax: 50, off: 'requestIds' },
  'majority-of-one': { rule: 'majority → 1', runsMax: 50, off: 'majorities' },
  'lost-disk-same-node': { rule: 'lost disk keeps its identity', runsMax: 300, off: 'lostDiskIsNewNode' },
  'serve-uninstalled': {
    rule: 'replica serves before it is installed',
    runsMax: 200,
    off: 'installedBeforeServing',
  },
  'answer-at-head': { rule: 'acknowledge at the head', runsMax: 50, off: 'tailBeforeAnswer' },
  'installed-anywhere': { rule: '`installed` flag in the state', runsMax: 2000, off: 'installedSources' },
  'no-burning': { rule: 'burnt counters', runsMax: 2000, off: 'burntCounters' },
  'newest-wins': { rule: 'difference by newest instead of replace', runsMax: 2000, off: 'replaceOnInstall' },
  'bodies-dropped-early': { rule: 'blob dropped before the child has it', runsMax: 2000, off: 'keepBodies' },
  'reveal-dirty': { rule: 'tail-acknowledged answers', runsMax: 100, off: 'cleanBeforeRevealing' },
  'no-confirm': { rule: 'CONFIRM', runsMax: 300, off: 'confirm' },
  'no-floor': { rule: 'floor', runsMax: 300, off: 'floor' },
  'fresh-unknown-view': { rule: 'unknown view taken for a fresh one', runsMax: 300, off: 'knownViewsOnly' },
  'forgotten-promises': { rule: 'stable promises', runsMax: 300, off: 'stablePromises' },
  'dirty-reads': { rule: 'dirty reads', runsMax: 500, off: 'cleanReads' },
  'serve-inactive': { rule: 'serving before ACTIVE', runsMax: 100, off: 'activeBeforeServing' },
  'clean-after-restart': { rule: 'dirty marks lost at restart', runsMax: 1000, off: 'dirtyAfterRestart' },
  'no-boot-in-nonces': { rule: 'boot in nonces', runsMax: 3000, off: 'bootInNonces' },
  'early-acknowledgement': { rule: 'only the tail acknowledges', runsMax: 100, off: 'tailAcknowledges' },
  'fetch-unsealed': { rule: 'a source seals before it hands out', runsMax: 1000, off: 'sealBeforeFetch' },
  'pass-without-body': {
    rule: 'a body before the record that names it',
    runsMax: 300,
    off: 'bodyBeforePass',
  },
  'first-try-unbound': {
    rule: 'first try bound to view and start of the head',
    runsMax: 2000,
    off: 'boundFirstTry',
  },
  'forgotten-refusals': { rule: 'a refusal is kept under its key', runsMax: 300, off: 'keptRefusals' },
  'pre-copy-goes-on': { rule: 'an installation ends copies ahead', runsMax: 300, off: 'endedPreCopies' },
  'pre-copy-of-the-past': {
    rule: 'no copy ahead of a superseded view',
    runsMax: 300,
    off: 'currentPreCopies',
  },
}

export const MUTANTS: readonly Mutant[] = Object.entries(VARIANTS).map(([name, { rule, runsMax }]) => ({
  name: name as MutantName,
  rule,
  runsMax,
}))

/** The rules of a broken variant; of production without a name. */
export function rulesOf(mutant: MutantName | undefined): { rules: Rules; clusterRules: ClusterRules } {
  const clusterRules = { lostDiskIsNewNode: true }
  if (mutant === undefined) return { rules: ALL_RULES, clusterRules }
  const variant = VARIANTS[mutant]
  if (variant === undefined) throw new TypeError(`No broken variant is called ${mutant}.`)
  if (variant.off === 'lostDiskIsNewNode')
    return { rules: ALL_RULES, clusterRules: { lostDiskIsNewNode: false } }
  return { rules: { ...ALL_RULES, [variant.off]: false }, clusterRules }
}
