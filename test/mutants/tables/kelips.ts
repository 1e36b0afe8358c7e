/**
 * Guards of Kelips: what a node has to know, and what it may forget.
 */
import type { Mutant } from '../mutant.ts'

export const KELIPS_MUTANTS: readonly Mutant[] = [
  {
    id: 'group-of-the-next-arc',
    file: 'src/routing/kelips/groups.ts',
    find: 'return Math.floor(prefix / (PREFIXES / groups))',
    replace: 'return Math.ceil(prefix / (PREFIXES / groups)) % groups',
    loss: 'a key is looked for in a group that knows nothing of it',
  },
  {
    id: 'groups-follow-every-node',
    file: 'src/routing/kelips/groups.ts',
    find: 'if (before !== undefined && before <= wanted * HYSTERESIS && before >= wanted / HYSTERESIS) return before',
    replace: '',
    loss: 'a node that comes and goes moves all groups to and fro',
  },
  {
    id: 'farthest-contact-first',
    file: 'src/routing/kelips/kelips.ts',
    find: 'a.ms - b.ms',
    replace: 'b.ms - a.ms',
    loss: 'lookups go to the slowest contact',
  },
  {
    id: 'failed-contact-asked',
    file: 'src/routing/kelips/kelips.ts',
    find: 'a.doubt - b.doubt || ',
    replace: '',
    loss: 'each lookup waits for a node that is gone',
  },
  {
    id: 'neighbours-of-a-half',
    file: 'src/routing/kelips/neighbourhood.ts',
    find: 'const reach = REACH * copies',
    replace: 'const reach = copies',
    loss: 'two nodes plan the copies of a range from different members, for ever',
  },
  {
    id: 'neighbours-forgotten',
    file: 'src/routing/kelips/kelips.ts',
    find: 'return this.#knowsAll || this.#isMate(member) || this.#isNear(member)',
    replace: 'return this.#knowsAll || this.#isMate(member)',
    loss: 'a node forgets those with whom it keeps ranges',
  },
  {
    id: 'group-views-forgotten',
    file: 'src/ring-node/kelips-upkeep.ts',
    find: ' || this.views.isKept(view)',
    replace: '',
    loss: 'nobody knows the views that a group is asked for',
  },
  {
    id: 'fresh-views-forgotten',
    file: 'src/ring-node/kelips-upkeep.ts',
    find: 'return nowMs - (heard.get(id) ?? nowMs) > USED_MS',
    replace: 'return nowMs >= (heard.get(id) ?? nowMs)',
    loss: 'a view is forgotten before the request that asked for it has used it',
  },
  {
    id: 'lacking-views-not-told',
    file: 'src/routing/kelips/group-views.ts',
    find: 'reaches(view, { from, to }) && !isKnown(view)',
    replace: 'reaches(view, { from, to }) && isKnown(view)',
    loss: 'the views of a group spread by their heads alone',
  },
]
