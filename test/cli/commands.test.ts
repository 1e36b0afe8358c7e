import { Command } from 'commander'
import t from 'tap'
import { COMMAND_MODULES, modulesFor } from '../../src/cli/commands.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('each module has the commands that its names say, and no name is twice', async t => {
  const all: string[] = []
  for (const { names, load } of COMMAND_MODULES) {
    const program = new Command()
    ;(await load())(program, scriptedSession(), async () => 0)
    const made = program.commands.flatMap(command => [command.name(), ...command.aliases()])
    t.same([...made].sort(), [...names].sort())
    all.push(...names)
  }
  t.equal(new Set(all).size, all.length)
})

t.test('only what a command line needs is loaded', async t => {
  const namesFor = (...argv: string[]) => modulesFor(argv).map(({ names }) => names[0])
  t.same(namesFor('put', 'a', 'b'), ['put'])
  t.same(namesFor('remove', 'put'), ['exists'])
  t.same(namesFor('--version'), [])
  for (const argv of [[], ['--help'], ['help', 'put'], ['puut'], ['shell']])
    t.equal(modulesFor(argv).length, COMMAND_MODULES.length, argv.join(' '))
})
