/**
 * Which module has which command. A module is loaded when its command is called: a program that is called for each file of a
 * loop shall not load a web server to say its version.
 */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { LABORATORY_FOLDER } from '../program-files.ts'
import type { Session } from './session.ts'

/** Runs one command line of this program. */
export type Run = (argv: readonly string[], session: Session) => Promise<number>

export interface CommandModule {
  /** What it is called by on the command line. */
  readonly names: readonly string[]
  readonly load: () => Promise<(program: Command, session: Session, run: Run) => void>
}

/** In the order in which help shows them. */
export const COMMAND_MODULES: readonly CommandModule[] = [
  { names: ['start'], load: async () => (await import('./start.ts')).addStartCommand },
  { names: ['put'], load: async () => (await import('./put.ts')).addPutCommand },
  { names: ['get', 'cat'], load: async () => (await import('./get.ts')).addGetCommand },
  { names: ['list', 'ls'], load: async () => (await import('./list.ts')).addListCommand },
  {
    names: ['exists', 'copy', 'cp', 'move', 'mv', 'remove', 'rm', 'status'],
    load: async () => (await import('./one-request.ts')).addOneRequestCommands,
  },
  { names: ['du', 'stat', 'find'], load: async () => (await import('./inspect.ts')).addInspectCommands },
  { names: ['trash'], load: async () => (await import('./trash.ts')).addTrashCommand },
  { names: ['versions'], load: async () => (await import('./versions.ts')).addVersionsCommand },
  { names: ['share'], load: async () => (await import('./share.ts')).addShareCommand },
  { names: ['insert', 'query', 'delete'], load: async () => (await import('./pairs.ts')).addPairCommands },
  { names: ['gossip'], load: async () => (await import('./gossip.ts')).addGossipCommand },
  { names: ['verify'], load: async () => (await import('./verify.ts')).addVerifyCommand },
  { names: ['recover'], load: async () => (await import('./recover.ts')).addRecoverCommand },
  { names: ['lookup'], load: async () => (await import('./lookup.ts')).addLookupCommand },
  { names: ['overlay'], load: async () => (await import('./overlay.ts')).addOverlayCommand },
  { names: ['join'], load: async () => (await import('./join.ts')).addJoinCommand },
  { names: ['set'], load: async () => (await import('./set-replicas.ts')).addSetCommand },
  { names: ['retire'], load: async () => (await import('./retire.ts')).addRetireCommand },
  { names: ['depart'], load: async () => (await import('./depart.ts')).addDepartCommand },
  { names: ['shell'], load: async () => (await import('./shell.ts')).addShellCommand },
  { names: ['completion'], load: async () => (await import('./completion.ts')).addCompletionCommand },
  { names: ['experiment'], load: loadExperiment },
]

/** The package is for those who run nodes; the laboratory, and what draws its plots, stays in the repository. */
async function loadExperiment(): ReturnType<CommandModule['load']> {
  if (existsSync(LABORATORY_FOLDER)) return (await import('./experiment.ts')).addExperimentCommand
  return program => {
    program
      .command('experiment')
      .summary('measure lookups, memory, gossip, routing and the models of consistency (in the repository)')
      .allowUnknownOption()
      .argument('[words...]')
      .action(() => {
        throw new Error('The laboratory is not in the package: run this in a clone of the repository.')
      })
  }
}

/** The modules that a command line needs: one where it names a command, else all, for help and for what is near a slip. */
export function modulesFor(argv: readonly string[]): readonly CommandModule[] {
  const [name = ''] = argv
  if (argv.length === 1 && ['-V', '--version'].includes(name)) return []
  const own = COMMAND_MODULES.filter(({ names }) => names.includes(name))
  // The shell and the completion offer all commands.
  return own.length === 0 || name === 'shell' || name === 'completion' ? COMMAND_MODULES : own
}
