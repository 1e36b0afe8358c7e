/**
 * Guards that only the worlds with whole nodes miss: how the parts of a node are put together, for its bodies, its members and its lookups.
 */
import type { Mutant } from '../mutant.ts'

export const WORLD_MUTANTS: readonly Mutant[] = [
  {
    id: 'bodies-are-not-carried',
    file: 'src/ring-node/ring-node.ts',
    find: '      this.#carrier.carry(to, message)\n',
    replace: '      this.#sendNow(to, message)\n',
    loss: 'the message of a body comes without it',
    seeds: 60,
  },
  {
    id: 'nobody-has-a-body',
    file: 'src/ring-node/ring-node.ts',
    find: '?? holdersOf(driver.known, path),',
    replace: '?? holdersOf(driver.known, path).slice(0, 0),',
    loss: 'a body that is not here is not looked for elsewhere',
    seeds: 60,
  },
]
