import t from 'tap'
import { withFolderHint } from '../../src/cli/folder-hint.ts'
import type { ListedFile } from '../../src/client/client.ts'
import { StoreError } from '../../src/errors.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('a folder where a file is wanted is named as one', async t => {
  const asked: string[] = []
  const client = {
    async *list(prefix = ''): AsyncGenerator<ListedFile> {
      asked.push(prefix)
      if (prefix === 'broken/') throw new Error('x')
      if (prefix === 'docs/') yield { path: 'docs/a' } as ListedFile
    },
  }
  const missing = new StoreError('FILE_NOT_FOUND', 'No file has this path.')
  const hint = (path: string, error: unknown = missing) =>
    withFolderHint(scriptedSession(), client, path, error)
  t.match(await hint('/docs/'), { message: /it is a folder; add -r/ })
  t.equal(await hint('none'), missing)
  t.equal(await hint('broken'), missing)
  const invalid = new StoreError('INVALID_PATH', 'This path is refused: it has an empty segment.')
  t.match(await hint('docs/', invalid), { message: /it is a folder; add -r.*INVALID_PATH/ })
  t.equal(await hint('a//b', invalid), invalid)
  const other = new Error('other')
  t.equal(await hint('docs', other), other)
  t.same(asked, ['docs/', 'none/', 'broken/', 'docs/'], 'nothing is asked for another error')
})
