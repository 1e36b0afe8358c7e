/**
 * The completion of command lines in bash, zsh and fish. A shell asks the program itself what the word at the cursor can
 * become, so that what it offers is what commander's tree has, and paths are those of the store.
 */
import type { Command } from 'commander'
import type { StoreClient } from '../client/client.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { print, type Session, usageError } from './session.ts'
import { candidatesFor, kindOfWord } from './shell-completion.ts'

/** Whoever presses Tab waits no longer than this, ms. */
const WAIT_MS = 2_000

export const SHELLS = ['bash', 'zsh', 'fish'] as const

export function addCompletionCommand(program: Command, session: Session): void {
  const command = program
    .command('completion')
    .summary('complete command lines in bash, zsh and fish')
    .description(
      'Prints what makes a shell complete this program: its commands, their options, and paths of the store.',
    )
    .argument('<shell>', `${SHELLS.join(', ')}; or "words", which the shells call themselves`)
    .argument(
      '[word...]',
      'with "words": what stands behind the name of the program, the last one is at the cursor',
    )
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord completion bash > ~/.local/share/bash-completion/completions/altered-chord
  altered-chord completion zsh > ~/.zfunc/_altered-chord    # with fpath+=~/.zfunc before compinit
  altered-chord completion fish > ~/.config/fish/completions/altered-chord.fish`,
    )
    .action(async (shell: string, words: string[], options: ConnectionOptions) => {
      if (shell === 'words') return printWords(program, session, words, options)
      const script = SCRIPTS[shell as (typeof SHELLS)[number]]
      if (script === undefined)
        throw usageError(`There is completion for ${SHELLS.join(', ')}, not for ${shell}.`)
      session.stdout.write(script)
    })
}

async function printWords(
  program: Command,
  session: Session,
  words: readonly string[],
  options: ConnectionOptions,
): Promise<void> {
  const current = words.at(-1) ?? ''
  const [name, ...before] = words.slice(0, -1)
  const found = name === undefined ? commandNames(program) : optionsOf(program, name, current)
  if (name !== undefined && !current.startsWith('-'))
    found.push(...(await pathsFor([name, ...before], current, session, options)))
  for (const word of found) if (word.startsWith(current)) await print(session, word)
}

function commandNames(program: Command): string[] {
  return program.commands.flatMap(command => [command.name(), ...command.aliases()])
}

function optionsOf(program: Command, name: string, current: string): string[] {
  const command = program.commands.find(each => each.name() === name || each.aliases().includes(name))
  if (command === undefined || !current.startsWith('-')) return []
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, short }) => [long, short])
    .filter(flag => flag !== undefined)
}

/** What a node says in time; without one there is nothing to offer, and the shell offers files. */
async function pathsFor(
  before: readonly string[],
  current: string,
  session: Session,
  options: ConnectionOptions,
): Promise<readonly string[]> {
  const kind = kindOfWord(before.filter(word => !word.startsWith('-')))
  if (kind === undefined || kind === 'file') return []
  const late = new AbortController()
  const timer = session.env.timers.after(WAIT_MS, () => late.abort())
  try {
    return await withClient(session, options, (client: StoreClient) =>
      candidatesFor(kind, current, { client, commands: [], signal: late.signal }),
    )
  } catch {
    return []
  } finally {
    timer.cancel()
  }
}

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `# Completion of altered-chord for bash. Made by: altered-chord completion bash
_altered_chord() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  mapfile -t COMPREPLY < <(altered-chord completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  # A folder goes on; the other names end the word.
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace
  return 0
}
complete -o default -F _altered_chord altered-chord
`,
  zsh: `#compdef altered-chord
# Completion of altered-chord for zsh. Made by: altered-chord completion zsh
_altered_chord() {
  local -a found folders others
  found=("\${(@f)$(altered-chord completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  (( \${#found} )) || { _files; return }
  folders=("\${(@M)found:#*/}")
  others=("\${(@)found:#*/}")
  (( \${#folders} )) && compadd -S '' -- "\${folders[@]}"
  (( \${#others} )) && compadd -- "\${others[@]}"
}
if [ "$funcstack[1]" = _altered_chord ] || [ "$funcstack[1]" = _altered-chord ]; then
  _altered_chord "$@"
else
  compdef _altered_chord altered-chord
fi
`,
  fish: `# Completion of altered-chord for fish. Made by: altered-chord completion fish
complete -c altered-chord -a '(altered-chord completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
complete -c altered-chord -n '__fish_use_subcommand' -f
`,
}
