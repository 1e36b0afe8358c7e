/**
 * The guards of the model with eventual consistency.
 */
import type { Mutant } from '../mutant.ts'

export const EVENTUAL_MUTANTS: readonly Mutant[] = [
  {
    id: 'span-over-a-break',
    file: 'src/replication/eventual/dot.ts',
    find: 'latest[1] > since ? latest[0] : n',
    replace: 'latest[1] > -1 ? latest[0] : n',
    loss: 'a write that a node gave away and forgot counts as seen, and is lost',
  },
  {
    id: 'merge-without-context',
    file: 'src/replication/eventual/eventual-record.ts',
    find: 'return covers(other.seen, sibling.dot) ? [] : [sibling]',
    replace: 'return [sibling]',
    loss: 'what was replaced or removed comes back',
  },
  {
    id: 'clock-in-place-of-context',
    file: 'src/replication/eventual/eventual-record.ts',
    find: 'return covers(other.seen, sibling.dot) ? [] : [sibling]',
    replace: 'return other.siblings.some(({ stamp }) => stamp > sibling.stamp) ? [] : [sibling]',
    loss: 'what a later stamp stands beside is lost, though nobody has seen it, and what was removed comes back',
  },
  {
    id: 'body-dropped-while-taken',
    file: 'src/replication/eventual/eventual-table.ts',
    find: 'if (await this.#components.store.hasBlob(blob)) continue',
    replace: 'if (blob) continue',
    loss: 'a record names a body that another change has taken away',
  },
  {
    id: 'left-out-by-stamp',
    file: 'src/replication/eventual/eventual-record.ts',
    find: 'for (const sibling of [...record.siblings].sort(byName))',
    replace: 'for (const sibling of [...record.siblings].sort(newestFirst))',
    loss: 'two nodes each leave out what the other keeps, and both are lost',
  },
  {
    id: 'stamps-not-bounded',
    file: 'src/replication/eventual/hybrid-clock.ts',
    find: 'Math.min(stamp, (Math.floor(nowMs) + AHEAD_MS_MAX) * TICKS_PER_MS)',
    replace: 'stamp',
    loss: 'a clock that is hours ahead is preferred for hours',
  },
  {
    id: 'dots-without-a-start',
    file: 'src/replication/eventual/dot.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
    find: '/${bootName(boot)}` as Actor',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
    replace: '/${bootName(boot).slice(0, 1)}` as Actor',
    loss: 'a node that starts again names two writes alike',
  },
  {
    id: 'hint-dropped-with-a-suspect',
    file: 'src/replication/eventual/passing.ts',
    find: 'if (this.#components.responsibility.isGone(node)) {',
    replace: 'if (!this.#components.responsibility.isAlive(node)) {',
    loss: 'what is owed to a node that does not answer is forgotten',
  },
  {
    id: 'late-records-taken',
    file: 'src/replication/eventual/eventual-replica.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
    find: ':${this.#forgotten}:${period}` as Memory',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
    replace: ':${this.#forgotten > -1}:${period}` as Memory',
    loss: 'what was removed and collected comes back with a late message',
  },
  {
    id: 'old-messages-count',
    file: 'src/replication/eventual/eventual-replica.ts',
    find: 'Math.floor(this.#components.env.clock.monotonicMs() / MEMORY_MS)',
    replace: 'Math.floor(this.#components.env.clock.monotonicMs() / 1e12)',
    loss: 'what a node has sent before its disk was lost comes in after what it did not know of was forgotten',
  },
  {
    id: 'gone-node-not-waited-for',
    file: 'src/replication/eventual/collecting.ts',
    find: 'return nowMs - sinceMs >= GONE_MS',
    replace: 'return nowMs >= sinceMs',
    loss: 'what a node has sent before its disk was lost comes in after what it did not know of was forgotten',
  },
  {
    id: 'keeper-not-noted',
    file: 'src/replication/eventual/eventual-node.ts',
    find: 'if (keepers !== undefined) await replica.admit(path, keepers)',
    replace: 'if (keepers?.length === 0) await replica.admit(path, keepers)',
    loss: 'what was removed comes back with a replica that had compared its range, and was not waited for',
    tests: ['test/replication/eventual/collecting.test.ts'],
  },
  {
    id: 'given-up-with-its-holders',
    file: 'src/replication/eventual/eventual-replica.ts',
    find: ' || now.record.holders.length !== holders',
    replace: '',
    loss: 'the only node that knew of a holder forgets it, and what was removed comes back',
  },
  {
    id: 'kept-between-looks',
    file: 'src/replication/eventual/passing.ts',
    find: 'if (this.#closed || looksAfter(position)) return',
    replace:
      'if (this.#closed || this.#components.responsibility.replicasOf(position).includes(this.#components.responsibility.self)) return',
    loss: 'a file of a range that was kept for a moment stays for good, and its node can not leave',
  },
  {
    id: 'untold-replicas',
    file: 'src/replication/eventual/eventual-replica.ts',
    find: "return told === 'all' ? [] : others.filter(node => !told.includes(node))",
    replace: 'return [].concat(told as never).slice(0, 0)',
    loss: 'a replica that a sender does not know of stays behind',
    tests: ['test/replication/eventual/syncing.test.ts'],
  },
  {
    id: 'judged-without-the-replicas',
    file: 'src/replication/eventual/accepting.ts',
    find: 'if (isReplica && !syncing.isBehind(position)) return',
    replace: 'if (replicas) return',
    loss: 'a removal is refused for want of a file that the replicas have, and a write stands beside what it was to replace',
  },
  {
    id: 'former-replica-answers',
    file: 'src/replication/eventual/accepting.ts',
    find: "if (asReplica === true && !isReplica && replicas.length > 0) return { kind: 'elsewhere' }",
    replace: '',
    loss: 'who has an old view writes where nobody reads',
  },
  {
    id: 'outcomes-by-bounded-stamps',
    file: 'src/replication/eventual/eventual-replica.ts',
    find: 'return { ...record, siblings }',
    replace:
      'return { ...record, siblings, outcomes: record.outcomes.map(one => ({ ...one, stamp: this.#clock.hear(one.stamp, nowMs) })) }',
    loss: 'replicas never agree on what is remembered of a path',
  },
  {
    id: 'holders-not-asked',
    file: 'src/replication/eventual/collecting.ts',
    find: 'for (const node of holders.get(record.path) ?? []) {',
    replace: 'for (const node of this.#components.responsibility.replicasOf(record.position)) {',
    loss: 'a former replica brings back what was removed',
  },
  {
    id: 'replaced-in-place-of-merged',
    file: 'src/replication/eventual/eventual-replica.ts',
    find: 'const merged = now ? merge(now.record, heard, gone => this.#tooMany(path, gone)) : heard',
    replace: 'const merged = now ? { ...heard, holders: merge(now.record, heard).holders } : heard',
    loss: 'what another node sends takes the place of what is here',
  },
  {
    id: 'no-way-round',
    file: 'src/ring-node/eventual-ways.ts',
    find: 'const mayGoRound = !hasOthers(kind, ask)',
    replace: 'const mayGoRound = !hasOthers(kind, ask) && kind === undefined',
    loss: 'a replica stays behind as long as one link is broken, and tombstones stay with it',
  },
  {
    id: 'kept-for-good',
    file: 'src/replication/eventual/passing.ts',
    find: 'if (held !== undefined && !isTombstone(held.record)) this.#keep(path, held.record.position)',
    replace: '',
    loss: 'a file that is kept for others stays for good, and its node can not leave',
  },
  {
    id: 'restored-disk-tells',
    file: 'src/ring-node/answers.ts',
    find: 'if (!isSelf && !known.isGenuine(from.nodeId, from.boot)) {',
    replace: 'if (!isSelf && known === undefined) {',
    loss: 'a restored disk brings back what was removed before anybody has told it',
  },
  {
    id: 'restored-disk-answers',
    file: 'src/ring-node/answers.ts',
    find: "if (met !== undefined) driver.dispatch({ kind: 'boots', boots: [[known.self, met]] })",
    replace: '',
    loss: 'a restored disk is asked for what was removed before anybody has told it',
  },
  {
    id: 'seen-spans-never-go',
    file: 'src/replication/eventual/eventual-table.ts',
    find: 'else if (spansIn(record.seen) > this.#spansKept) this.#long.add(path)',
    replace: '',
    loss: 'what was seen of a path grows with each start of a node that writes it',
    tests: ['test/replication/eventual/seen-spans.test.ts'],
  },
  {
    id: 'collected-with-what-stands',
    file: 'src/replication/eventual/eventual-record.ts',
    find: 'return { ...record, siblings: [], seen: seenWithout(record.seen, dots) }',
    replace: 'return { ...record, siblings: [], seen: dots.length < 0 ? [] : record.seen }',
    loss: 'a file goes when what it has replaced is collected',
    tests: ['test/replication/eventual/seen-spans.test.ts'],
  },
]
