import t from 'tap'
import { parsePathName } from '../../src/ring/path-name.ts'
import { digestOf } from '../../src/storage/body-digest.ts'
import { pathsOf, planCommit } from '../../src/storage/commit-plan.ts'
import type { FileRecord } from '../../src/storage/record.ts'

const [a, b] = [parsePathName('a'), parsePathName('b')]
const stamp = { version: { epoch: 3, seq: 7 }, writtenAtMs: 99 }
const body = { ...digestOf(Buffer.from('x')), content: { inline: Buffer.from('x') }, stageId: '1' }
const standing = (path: typeof a): FileRecord => ({
  path,
  version: { epoch: 1, seq: 1 },
  body: { ...digestOf(Buffer.from('old')), content: { inline: Buffer.from('old') } },
  meta: { mediaType: `of ${path}` },
  writtenAtMs: 1,
})

t.test('a put leaves the staged body under its stamp, without what only staging knows', async t => {
  const change = { kind: 'put', path: a, condition: 'none', body, meta: { mediaType: 'm' } } as const
  const { stageId: _, ...stored } = body
  const plan = planCommit(change, stamp, standing)
  t.strictSame(plan.record, { path: a, ...stamp, body: stored, meta: { mediaType: 'm' } })
  t.same(plan.previous, standing(a))
  t.equal(plan.source, undefined)
  t.same(pathsOf(change), [a])
})

t.test('a move gives the record of the source a new path and stamp', async t => {
  const change = { kind: 'move', from: a, path: b, condition: 'none' } as const
  const plan = planCommit(change, stamp, path => (path === a ? standing(a) : undefined))
  t.strictSame(plan.record, { ...standing(a), path: b, ...stamp })
  t.same(plan.source, standing(a))
  t.equal(plan.previous, undefined)
  t.same(pathsOf(change), [a, b])
})

t.test('a move without a source is refused for its source, before the condition is looked at', async t => {
  const change = { kind: 'move', from: a, path: b, condition: 'absent' } as const
  t.throws(() => planCommit(change, stamp, path => (path === b ? standing(b) : undefined)), {
    code: 'FILE_NOT_FOUND',
    path: 'a',
  })
})
