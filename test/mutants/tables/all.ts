/**
 * All mutants. Each takes one guard out of the sources.
 */
import type { Mutant } from '../mutant.ts'
import { CHAIN_REQUEST_MUTANTS } from './chain-requests.ts'
import { CHAIN_VIEW_MUTANTS } from './chain-views.ts'
import { EVENTUAL_MUTANTS } from './eventual.ts'
import { KELIPS_MUTANTS } from './kelips.ts'
import { NETWORK_MUTANTS } from './network.ts'
import { VIEW_MUTANTS } from './views.ts'
import { WORLD_MUTANTS } from './worlds.ts'

export const MUTANTS: readonly Mutant[] = [
  ...VIEW_MUTANTS,
  ...CHAIN_VIEW_MUTANTS,
  ...CHAIN_REQUEST_MUTANTS,
  ...NETWORK_MUTANTS,
  ...KELIPS_MUTANTS,
  ...EVENTUAL_MUTANTS,
  ...WORLD_MUTANTS,
]
