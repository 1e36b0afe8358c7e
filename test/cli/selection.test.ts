import { Command } from 'commander'
import t from 'tap'
import { addSelectionOptions, type SelectionOptions, selectionOf } from '../../src/cli/selection.ts'

async function selected(args: readonly string[]) {
  const command = addSelectionOptions(new Command())
  command.parse(args, { from: 'user' })
  return selectionOf(command.opts<SelectionOptions>())
}

t.test('the last pattern that fits counts, as in .gitignore', async t => {
  const rows: [args: string[], path: string, isLeftOut: boolean][] = [
    [[], 'a', false],
    [['--exclude', '*.o'], 'x/a.o', true],
    [['--exclude', '*.o'], 'x/a.O', false],
    [['--exclude', '/a'], 'x/a', false],
    [['--exclude', 'x/'], 'x/y/z', true],
    [['--exclude', '*.o', '--include', 'keep.o'], 'x/keep.o', false],
    [['--include', 'keep.o', '--exclude', '*.o'], 'x/keep.o', true],
    [['--exclude', 'a', '--exclude', 'b'], 'a', true],
    [['--exclude', '**/tmp/**'], 'x/tmp/y', true],
  ]
  for (const [args, path, isLeftOut] of rows)
    t.equal((await selected(args)).isLeftOut(path, 'file'), isLeftOut, `${args.join(' ')}: ${path}`)
  t.ok((await selected(['--exclude', 'x/'])).isLeftOut('x', 'folder'))
  t.notOk((await selected(['--exclude', 'x/'])).isLeftOut('x', 'file'), 'a slash at the end is for folders')
})
