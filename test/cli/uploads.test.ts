import { join } from 'node:path'
import t from 'tap'
import { EVERYTHING } from '../../src/cli/selection.ts'
import { plainer, planUploads } from '../../src/cli/uploads.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('what goes where, with which metadata', async t => {
  const root = t.testdir({ a: 'aa', x: { b: '', empty: {} }, link: t.fixture('symlink', 'a') })
  const plan = async (sources: string[], target: string, options: Parameters<typeof planUploads>[4]) => {
    const session = scriptedSession()
    const plans = await planUploads(session, sources, target, EVERYTHING, options)
    const lines = plans.flatMap(({ uploads }) => uploads.map(({ kind, path }) => `${kind} ${path}`))
    return { plans, lines, err: session.err(), code: session.exitCode }
  }
  const all = await plan([root], '/to/', { recursive: true })
  t.same(all.lines, ['file to/a', 'link to/link', 'file to/x/b'])
  t.match(all.plans, [{ prefix: 'to/', isWhole: true }])
  t.match(all.plans[0]?.uploads[1]?.meta, { link: 'a', mode: '0777', mtime: /^\d+\.\d{9}$/ })
  t.match(all.err, /skipped \(empty folder\): x\/empty/)
  const folders = await plan([root], 'to', { recursive: true, folders: true })
  t.same(folders.lines, ['file to/a', 'link to/link', 'folder to/x', 'file to/x/b', 'folder to/x/empty'])
  const bare = await plan([root], 'to', { recursive: true, meta: false })
  t.same(bare.plans[0]?.uploads[0]?.meta, {})
  t.match(bare.err, /skipped \(symbolic link\): link/, 'a link has no bytes of its own')
  t.match((await plan([root], 'to', { recursive: true, links: false })).lines, ['file to/a', 'file to/x/b'])
  const single = await plan([join(root, 'a'), join(root, 'none')], 'to', {})
  t.same(single.lines, ['file to/a'])
  t.match(single, { code: 1, err: /none: there is no file or folder/, plans: [{}, { isWhole: false }] })
  t.match(await plan([root], 'to', {}), { lines: [], code: 1, err: /it is a folder; add -r/ })
  await t.rejects(plan(['-'], 'to/', {}), { message: /Standard input has no name/ })
})

t.test('an error of the system without the name of its call', async t => {
  t.match(plainer({ code: 'ENOENT', path: 'x' }), { message: 'there is no file or folder x' })
  t.match(plainer({ code: 'EACCES' }), { message: /may not be read/ })
  const other = new Error('x')
  t.equal(plainer(other), other)
})
