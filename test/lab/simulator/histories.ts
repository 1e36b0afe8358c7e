/**
 * The histories that the checker has to judge rightly, and short words to write them in. Times are ms; etags and
 * values are short names; each operation is a client, its two times, what it asked and what it was told.
 */
import type { Action, Answer, Operation } from '../../../src/lab/simulator/history.ts'

export const get: Action = { kind: 'get' }
export const exists: Action = { kind: 'exists' }
export const remove: Action = { kind: 'remove' }
export const put = (value: string): Action => ({ kind: 'put', value })
export const create = (value: string): Action => ({ kind: 'create', value })
export const replace = (etag: string, value: string): Action => ({ kind: 'replace', etag, value })
export const removeIf = (etag: string): Action => ({ kind: 'remove', etag })

export const trash: Action = { kind: 'trash' }
export const found = (of: string): Action => ({ kind: 'trashed', of })
export const forget = (...values: string[]): Action => ({ kind: 'forget', values })
export const restore = (of: string, value: string): Action => ({ kind: 'put', value, restores: of })

export const ok: Answer = { kind: 'ok' }
export const listed = (...values: string[]): Answer => ({ kind: 'ok', values })
export const missing: Answer = { kind: 'FILE_NOT_FOUND' }
export const taken: Answer = { kind: 'FILE_EXISTS' }
export const stale: Answer = { kind: 'PRECONDITION_FAILED' }
export const refused: Answer = { kind: 'refused' }
export const unknown: Answer = { kind: 'unknown' }
export const saw = (value: string, etag?: string): Answer => ({
  kind: 'ok',
  value,
  ...(etag ? { etag } : {}),
})
export const wrote = (etag: string): Answer => ({ kind: 'ok', etag })
export const created: Answer = { kind: 'ok', created: true }
export const replaced: Answer = { kind: 'ok', created: false }

/** Client, invoked at, answered at, action, answer. No answer time: the call never came back. */
export type Line = readonly [string, number, number | undefined, Action, Answer]

export function history(lines: readonly Line[], path = 'a'): Operation[] {
  return lines.map(([client, invokedAtMs, answeredAtMs, action, answer], index) => ({
    id: `${path}${index + 1}`,
    client,
    path,
    action,
    invokedAtMs,
    answeredAtMs,
    answer,
  }))
}

const never = undefined

/** Histories that some order explains. */
export const GOOD: readonly (readonly [string, readonly Line[]])[] = [
  ['nothing happened', []],
  ['a path without a file', [['c1', 0, 1, get, missing]]],
  [
    'one client, one after the other',
    [
      ['c1', 0, 1, create('v1'), created],
      ['c1', 2, 3, get, saw('v1')],
      ['c1', 4, 5, put('v2'), replaced],
      ['c1', 6, 7, remove, ok],
      ['c1', 8, 9, get, missing],
      ['c1', 10, 11, remove, missing],
    ],
  ],
  [
    'a read during a write may see it or not',
    [
      ['c1', 0, 10, create('v1'), ok],
      ['c2', 1, 2, get, missing],
      ['c3', 3, 4, get, saw('v1')],
    ],
  ],
  [
    'a read concurrent with two writes sees the one that another read saw last',
    [
      ['c1', 0, 10, put('v1'), ok],
      ['c2', 0, 10, put('v2'), ok],
      ['c3', 1, 9, get, saw('v2')],
      ['c4', 11, 12, get, saw('v1')],
    ],
  ],
  [
    'of two creators one is told that the file exists, even before the other has its answer',
    [
      ['c1', 0, 10, create('v1'), ok],
      ['c2', 1, 2, create('v2'), taken],
      ['c3', 3, 4, get, saw('v1')],
    ],
  ],
  [
    'two creators both succeed around a removal',
    [
      ['c1', 0, 10, create('v1'), ok],
      ['c2', 0, 10, create('v2'), ok],
      ['c3', 0, 10, remove, ok],
    ],
  ],
  [
    'an unknown write that nobody ever sees',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, never, put('v2'), unknown],
      ['c3', 9, 10, get, saw('v1')],
    ],
  ],
  [
    'an unknown write takes effect long after it was given up, even after a later write',
    [
      ['c1', 0, 1, put('v1'), unknown],
      ['c2', 2, 3, put('v2'), ok],
      ['c3', 4, 5, get, saw('v2')],
      ['c3', 6, 7, get, saw('v1')],
      ['c3', 8, 9, get, saw('v1')],
    ],
  ],
  [
    'an unknown write explains why the file exists, though nobody read its value',
    [
      ['c1', 0, never, create('v1'), unknown],
      ['c2', 5, 6, create('v2'), taken],
      ['c2', 7, 8, exists, ok],
      ['c2', 9, 10, remove, ok],
      ['c2', 11, 12, get, missing],
    ],
  ],
  [
    'an unknown removal explains that the file is gone',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, 3, remove, unknown],
      ['c3', 4, 5, get, saw('v1')],
      ['c3', 6, 7, create('v2'), ok],
    ],
  ],
  [
    'many unknown writes, each of them explains one sight',
    [
      ['c1', 0, never, create('v1'), unknown],
      ['c2', 0, never, create('v2'), unknown],
      ['c3', 0, never, remove, unknown],
      ['c4', 0, never, remove, unknown],
      ['c5', 1, 2, get, saw('v2')],
      ['c5', 3, 4, get, missing],
      ['c5', 5, 6, get, saw('v1')],
      ['c5', 7, 8, get, missing],
    ],
  ],
  [
    'of two unknown writes that nobody reads, both are needed',
    [
      ['c1', 0, never, put('v1'), unknown],
      ['c2', 0, never, put('v2'), unknown],
      ['c3', 1, 2, remove, ok],
      ['c3', 3, 4, exists, missing],
      ['c3', 5, 6, remove, ok],
    ],
  ],
  [
    'replaces follow each other by their etags',
    [
      ['c1', 0, 1, create('v1'), wrote('e1')],
      ['c2', 2, 9, replace('e1', 'v2'), wrote('e2')],
      ['c3', 2, 9, replace('e1', 'v3'), stale],
      ['c2', 10, 11, get, saw('v2', 'e2')],
      ['c2', 12, 13, removeIf('e1'), stale],
      ['c2', 14, 15, removeIf('e2'), ok],
      ['c2', 16, 17, replace('e2', 'v4'), stale],
    ],
  ],
  [
    'the etag of an unknown write is learned by reading it',
    [
      ['c1', 0, 1, create('v1'), unknown],
      ['c2', 2, 3, get, saw('v1', 'e1')],
      ['c2', 4, 5, replace('e1', 'v2'), ok],
      ['c3', 6, 7, get, saw('v2', 'e2')],
    ],
  ],
  [
    'an etag that nobody was told of may be that of a write whose etag nobody was told of',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, 3, replace('e1', 'v2'), ok],
    ],
  ],
  [
    'a list tells the etag of what stands there',
    [
      ['c1', 0, 1, create('v1'), wrote('e1')],
      ['c1', 2, 9, put('v2'), wrote('e2')],
      ['c2', 3, 4, exists, wrote('e1')],
      ['c2', 5, 6, exists, wrote('e2')],
    ],
  ],
  [
    'a refused write is no write',
    [
      ['c1', 0, 1, create('v1'), refused],
      ['c2', 2, 3, get, missing],
      ['c2', 4, 5, create('v2'), ok],
    ],
  ],
  [
    'answers at the very moment of the next call leave the order open',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 1, 2, get, missing],
    ],
  ],
  [
    'a read that never came back means nothing',
    [
      ['c1', 0, never, get, unknown],
      ['c2', 1, 2, get, missing],
    ],
  ],
  [
    'what is replaced and what is removed is in the trash until it is restored or forgotten',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, put('v2'), ok],
      ['c1', 4, 5, remove, ok],
      ['c1', 6, 7, trash, listed('v1', 'v2')],
      ['c1', 8, 9, found('v1'), ok],
      ['c1', 8, 9, restore('v1', 'v3'), created],
      ['c1', 10, 11, trash, listed('v2')],
      ['c1', 12, 13, forget('v2'), ok],
      ['c1', 14, 15, forget('v2'), ok],
      ['c1', 16, 17, trash, listed()],
      ['c1', 18, 19, get, saw('v3')],
    ],
  ],
  [
    'what a write under way replaces may be in the trash or not',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, never, put('v2'), unknown],
      ['c3', 3, 4, trash, listed()],
      ['c3', 5, 6, trash, listed('v1')],
      ['c4', 5, never, forget('v1'), unknown],
      ['c3', 7, 8, trash, listed()],
    ],
  ],
  [
    'what a restoration of the same bytes replaces need not be in the trash',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, remove, ok],
      ['c1', 4, 9, restore('v1', 'v2'), ok],
      ['c2', 4, 9, restore('v1', 'v3'), ok],
      ['c1', 10, 11, trash, listed()],
    ],
  ],
]

/** Histories that no order explains; with the clients whose operations the explanation has to name. */
export const BAD: readonly (readonly [string, readonly Line[], readonly string[]])[] = [
  ['a value from nowhere', [['c1', 0, 1, get, saw('v1')]], ['c1']],
  [
    'a stale read after a write',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, put('v2'), ok],
      ['c2', 4, 5, get, saw('v1')],
    ],
    ['c1', 'c2'],
  ],
  [
    'a stale read after a read, during the write',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, 20, put('v2'), ok],
      ['c3', 3, 4, get, saw('v2')],
      ['c4', 5, 6, get, saw('v1')],
    ],
    ['c3', 'c4'],
  ],
  [
    'a lost write: answered, then missing',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, 3, get, missing],
    ],
    ['c1', 'c2'],
  ],
  [
    'a lost update: two replaces of one version',
    [
      ['c1', 0, 1, create('v1'), wrote('e1')],
      ['c2', 2, 9, replace('e1', 'v2'), wrote('e2')],
      ['c3', 2, 9, replace('e1', 'v3'), wrote('e3')],
    ],
    ['c2', 'c3'],
  ],
  [
    'two creators both succeed',
    [
      ['c1', 0, 10, create('v1'), ok],
      ['c2', 0, 10, create('v2'), ok],
    ],
    ['c1', 'c2'],
  ],
  [
    'two creators both succeed, the removal comes too late',
    [
      ['c1', 0, 10, create('v1'), ok],
      ['c2', 0, 10, create('v2'), ok],
      ['c3', 11, 12, remove, ok],
    ],
    ['c1', 'c2'],
  ],
  [
    'a removed file returns',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, remove, ok],
      ['c2', 4, 5, get, missing],
      ['c2', 6, 7, get, saw('v1')],
    ],
    ['c1', 'c2'],
  ],
  [
    'a removed file returns without having been missed',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, remove, ok],
      ['c2', 4, 5, exists, ok],
    ],
    ['c1', 'c2'],
  ],
  [
    'one file, removed twice',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 9, remove, ok],
      ['c2', 2, 9, remove, ok],
    ],
    ['c1', 'c2'],
  ],
  [
    'an unknown write is seen, then unseen',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, never, put('v2'), unknown],
      ['c3', 5, 6, get, saw('v2')],
      ['c3', 7, 8, get, saw('v1')],
    ],
    ['c2', 'c3'],
  ],
  [
    'an unknown write takes effect twice',
    [
      ['c1', 0, 1, put('v1'), unknown],
      ['c2', 2, 3, get, saw('v1')],
      ['c2', 4, 5, put('v2'), ok],
      ['c2', 6, 7, get, saw('v1')],
    ],
    ['c1', 'c2'],
  ],
  [
    'an unknown write is seen before it was asked for',
    [
      ['c1', 0, 1, get, saw('v1')],
      ['c2', 2, never, put('v1'), unknown],
    ],
    ['c1'],
  ],
  [
    'an unknown creation cannot replace',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, never, create('v2'), unknown],
      ['c3', 3, 4, get, saw('v2')],
    ],
    ['c2', 'c3'],
  ],
  [
    'an unknown replace of a version that was gone before',
    [
      ['c1', 0, 1, create('v1'), wrote('e1')],
      ['c1', 2, 3, put('v2'), wrote('e2')],
      ['c2', 4, never, replace('e1', 'v3'), unknown],
      ['c3', 5, 6, get, saw('v3')],
    ],
    ['c2', 'c3'],
  ],
  [
    'told that the file exists, while none ever did',
    [
      ['c1', 0, 1, create('v1'), taken],
      ['c2', 2, 3, get, missing],
    ],
    ['c1'],
  ],
  [
    'told that the file exists by a write that was refused',
    [
      ['c1', 0, 1, create('v1'), refused],
      ['c2', 2, 3, create('v2'), taken],
    ],
    ['c2'],
  ],
  [
    'one unknown write cannot explain two removals',
    [
      ['c1', 0, never, put('v1'), unknown],
      ['c3', 1, 2, remove, ok],
      ['c3', 3, 4, exists, missing],
      ['c3', 5, 6, remove, ok],
    ],
    ['c3'],
  ],
  [
    'A, B, and A again under a new etag: the first etag is stale, yet it replaced',
    [
      ['c1', 0, 1, create('A1'), wrote('e1')],
      ['c1', 2, 3, put('B'), wrote('e2')],
      ['c1', 4, 5, put('A2'), wrote('e3')],
      ['c2', 6, 7, replace('e1', 'v4'), wrote('e4')],
    ],
    ['c1', 'c2'],
  ],
  [
    'A, B, and A again under the first etag: one etag names two versions',
    [
      ['c1', 0, 1, create('A1'), wrote('e1')],
      ['c1', 2, 3, put('B'), wrote('e2')],
      ['c1', 4, 5, put('A2'), wrote('e1')],
    ],
    ['c1'],
  ],
  [
    'a list shows a version that was replaced before it began',
    [
      ['c1', 0, 1, create('v1'), wrote('e1')],
      ['c1', 2, 3, put('v2'), wrote('e2')],
      ['c2', 4, 5, exists, wrote('e1')],
    ],
    ['c1', 'c2'],
  ],
  [
    'one version under two etags',
    [
      ['c1', 0, 1, create('v1'), wrote('e1')],
      ['c2', 2, 3, get, saw('v1', 'e2')],
    ],
    ['c1', 'c2'],
  ],
  [
    'a replace is told that its version is stale, and it is not',
    [
      ['c1', 0, 1, create('v1'), wrote('e1')],
      ['c2', 2, 3, replace('e1', 'v2'), stale],
      ['c3', 4, 5, get, saw('v1', 'e1')],
    ],
    ['c1', 'c2'],
  ],
  [
    'two readers see two writes in opposite orders',
    [
      ['c1', 0, 100, put('v1'), ok],
      ['c2', 0, 100, put('v2'), ok],
      ['c3', 10, 11, get, saw('v1')],
      ['c3', 12, 13, get, saw('v2')],
      ['c4', 10, 14, get, saw('v2')],
      ['c4', 15, 16, get, saw('v1')],
    ],
    ['c3', 'c4'],
  ],
  [
    'a write is told that it created, and it replaced',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, 3, put('v2'), created],
    ],
    ['c1', 'c2'],
  ],
  [
    'what was replaced is not in the trash',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, put('v2'), ok],
      ['c2', 4, 5, trash, listed()],
    ],
    ['c2'],
  ],
  [
    'what was removed is not in the trash, though another call was under way',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, remove, ok],
      ['c3', 2, 9, create('v2'), ok],
      ['c2', 4, 5, trash, listed()],
    ],
    ['c2'],
  ],
  [
    'the trash has what stands at the path',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, 3, trash, listed('v1')],
      ['c3', 4, 5, get, saw('v1')],
    ],
    ['c2'],
  ],
  [
    'a restoration brings what was never in the trash',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c2', 2, 3, found('v1'), ok],
      ['c2', 2, 3, restore('v1', 'v2'), ok],
    ],
    ['c1', 'c2'],
  ],
  [
    'what was forgotten is restored',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, remove, ok],
      ['c1', 4, 5, forget('v1'), ok],
      ['c2', 6, 7, found('v1'), ok],
      ['c2', 6, 7, restore('v1', 'v2'), ok],
    ],
    ['c1', 'c2'],
  ],
  [
    'a restoration undoes a later write unseen',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, put('v2'), ok],
      ['c2', 4, 5, restore('v1', 'v3'), ok],
      ['c3', 6, 7, trash, listed()],
    ],
    ['c3'],
  ],
  [
    'what came back by a restoration is in the trash as well',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, remove, ok],
      ['c2', 4, 5, restore('v1', 'v2'), ok],
      ['c3', 6, 7, trash, listed('v1')],
    ],
    ['c2', 'c3'],
  ],
  [
    'what a move took away from its source is in the trash',
    [
      ['c1', 0, 1, create('v1'), ok],
      ['c1', 2, 3, { kind: 'remove', movedTo: { path: 'b', value: 'v2' } }, ok],
      ['c3', 4, 5, trash, listed('v1')],
    ],
    ['c1', 'c3'],
  ],
]
