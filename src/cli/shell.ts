/**
 * `altered-chord shell`: a prompt for the commands of this program, about one node that can be changed, and the
 * same from a pipe.
 */
import { createInterface, type Interface } from 'node:readline'
import { Readable } from 'node:stream'
import { styleText } from 'node:util'
import type { Command } from 'commander'
import { split } from 'shlex'
import { eitherSignal } from '../either-signal.ts'
import type { Run } from './commands.ts'
import {
  addConnectionOptions,
  CONNECTION_VARIABLES,
  type ConnectionOptions,
  nodeUrl,
  withClient,
} from './connection.ts'
import { describeError, EXIT_CODES, note, print, type Session } from './session.ts'
import { complete } from './shell-completion.ts'
import { HISTORY_LINES_MAX, historyFile, ShellHistory } from './shell-history.ts'

interface ShellOptions extends ConnectionOptions {
  /** False for --no-history. */
  readonly history?: string | boolean
}

/** Commands of the program that make sense behind the prompt. */
const COMMANDS: readonly string[] = [
  ...['insert', 'query', 'delete', 'put', 'get', 'list', 'exists', 'copy', 'move', 'remove'],
  ...['lookup', 'overlay', 'status', 'verify', 'join', 'depart'],
]

const OWN_COMMANDS = {
  setnode:
    'setnode NODE       talk to another node: a port, HOST:PORT or a URL; without NODE, say which one it is',
  listnodes: 'listnodes          the nodes that this one knows',
  help: 'help [COMMAND]     this, or all about one command',
  exit: 'exit               leave; so does Ctrl-D',
} as const

/** How long the Tab key may take, ms: longer, and whoever waits has typed it. */
const COMPLETION_TIMEOUT_MS = 2000

export function addShellCommand(program: Command, session: Session, run: Run): void {
  const command = program
    .command('shell')
    .summary('a prompt for all of this')
    .description(
      'Reads commands, from a prompt or from a pipe, and runs each as this program would. Words are split as in a shell, with\n' +
        'quotes and backslashes, and nothing is expanded. Tab completes commands, paths, keys and nodes; Ctrl-C ends what runs;\n' +
        'Ctrl-D leaves. From a pipe, it ends at the first command that is refused, with exit code 1.',
    )
    .option(
      '--history <file>',
      'where typed lines are kept (default: altered-chord/shell-history in XDG_STATE_HOME)',
    )
    .option('--no-history', 'keep none')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord shell
  altered-chord shell --node 5001
  echo 'query "Like a Rolling Stone"' | altered-chord shell`,
    )
    .action((options: ShellOptions) => new Shell(session, options, program, run).run())
}

class Shell {
  readonly #session: Session
  readonly #options: ShellOptions
  readonly #program: Command
  readonly #run: Run
  readonly #interactive: boolean
  #node: string
  /** A script ends at the first command that fails: what follows may build on it. */
  #left = false
  /** Of the command that runs. */
  #running: AbortController | undefined

  constructor(session: Session, options: ShellOptions, program: Command, run: Run) {
    this.#session = session
    this.#options = options
    this.#program = program
    this.#run = run
    this.#interactive = isTerminal(session.stdin) && session.stdout.isTTY === true
    this.#node = nodeUrl(options.node ?? session.environment[CONNECTION_VARIABLES.node] ?? '5000')
  }

  async run(): Promise<void> {
    const { signal } = this.#session
    const history = this.#openHistory()
    const lines = this.#openLines(history)
    const leave = () => lines.close()
    signal.addEventListener('abort', leave)
    try {
      lines.prompt()
      for await (const line of lines) {
        if (this.#interactive) this.#remember(history, line)
        const words = this.#wordsOf(line)
        if (words?.[0] === 'exit') break
        if (words !== undefined && words.length > 0) await this.#perform(words)
        if (this.#left) break
        signal.throwIfAborted()
        lines.setPrompt(this.#prompt())
        lines.prompt()
      }
      signal.throwIfAborted()
    } finally {
      signal.removeEventListener('abort', leave)
      lines.close()
    }
  }

  #openHistory(): ShellHistory | undefined {
    const { history } = this.#options
    if (!this.#interactive || history === false) return undefined
    const file = typeof history === 'string' ? history : historyFile(this.#session.environment)
    try {
      return new ShellHistory(file)
    } catch (error) {
      note(this.#session, `no history: ${describeError(error)}`)
      return undefined
    }
  }

  #openLines(history: ShellHistory | undefined): Interface {
    const { stdin, stdout } = this.#session
    if (!this.#interactive) {
      const lines = createInterface({ input: stdin, terminal: false })
      // Nobody reads prompts in a pipe.
      lines.prompt = () => undefined
      return lines
    }
    const lines = createInterface({
      input: stdin,
      output: stdout,
      terminal: true,
      prompt: this.#prompt(),
      history: [...(history?.lines ?? [])].reverse(),
      historySize: HISTORY_LINES_MAX,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        this.#complete(line).then(result => done(null, result))
      },
    })
    lines.on('SIGINT', () => {
      if (this.#running !== undefined) return this.#running.abort(new Error('interrupted'))
      // As shells do: what was typed is left, and a new line begins.
      stdout.write('^C\n')
      lines.write(null, { ctrl: true, name: 'e' })
      lines.write(null, { ctrl: true, name: 'u' })
      lines.prompt()
    })
    lines.on('close', () => stdout.write('\n'))
    return lines
  }

  #prompt(): string {
    const { host } = new URL(this.#node)
    return `${this.#painted('cyan', host)}> `
  }

  #painted(colour: 'cyan' | 'bold', text: string): string {
    return this.#interactive && !this.#session.environment.NO_COLOR ? styleText(colour, text) : text
  }

  #remember(history: ShellHistory | undefined, line: string): void {
    try {
      history?.add(line)
    } catch (error) {
      note(this.#session, `this line is not kept: ${describeError(error)}`)
    }
  }

  /** Undefined when the line can't be split; that is said. */
  #wordsOf(line: string): string[] | undefined {
    if (/^\s*#/.test(line)) return []
    try {
      return split(line)
    } catch {
      this.#fail('a quote is not closed, or a backslash stands at the end')
      return undefined
    }
  }

  async #perform(words: readonly string[]): Promise<void> {
    const [name = '', ...rest] = words
    const running = new AbortController()
    this.#running = running
    const signal = eitherSignal([running.signal, this.#session.signal])
    const session = this.#sessionOf(signal)
    try {
      const code = await this.#dispatch(name, rest, session)
      if (running.signal.aborted) note(session, 'interrupted')
      if (code !== EXIT_CODES.done) this.#failed()
    } catch (error) {
      if (!running.signal.aborted) this.#fail(describeError(error))
    } finally {
      this.#running = undefined
      signal.clear()
    }
  }

  async #dispatch(name: string, rest: readonly string[], session: Session): Promise<number> {
    if (name === 'help') return this.#help(rest, session)
    if (name === 'setnode') await this.#setNode(rest, session)
    else if (name === 'listnodes') await this.#listNodes(session)
    else if (COMMANDS.includes(name)) {
      if (name === 'put' && rest.includes('-'))
        throw new Error('put - would read what the shell itself reads')
      return this.#run([name, ...rest], session)
    } else throw new Error(`${JSON.stringify(name)} is no command of the shell; help lists them`)
    return session.exitCode
  }

  /** What a command is given: the node of the shell, and a standard input that is not the shell's. */
  #sessionOf(signal: AbortSignal): Session {
    const { environment } = this.#session
    const token = this.#options.token ?? environment[CONNECTION_VARIABLES.token]
    return {
      ...this.#session,
      environment: {
        ...environment,
        [CONNECTION_VARIABLES.node]: this.#node,
        ...(token && { [CONNECTION_VARIABLES.token]: token }),
      },
      stdin: Readable.from([]),
      signal,
      exitCode: EXIT_CODES.done,
    }
  }

  async #setNode(rest: readonly string[], session: Session): Promise<void> {
    const [text] = rest
    if (text === undefined) return print(session, this.#node)
    try {
      const node = nodeUrl(text)
      await withClient({ ...session }, { node }, client => client.health({ signal: session.signal }))
      this.#node = node
    } catch (error) {
      if (this.#interactive) throw error
      throw new Error(`${describeError(error)} (what follows is not run)`)
    }
  }

  async #listNodes(session: Session): Promise<void> {
    await withClient(session, {}, async client => {
      const { nodes } = await client.network({ signal: session.signal })
      for (const { address, status, self, suspect, zone } of nodes) {
        const words = [
          status,
          ...(suspect ? ['suspect'] : []),
          ...(zone === undefined ? [] : [`zone ${zone}`]),
        ]
        const line = `${self ? '*' : ' '} ${address}  ${words.join(', ')}`
        await print(session, self ? this.#painted('bold', line) : line)
      }
    })
  }

  async #help(rest: readonly string[], session: Session): Promise<number> {
    const [name] = rest
    if (name !== undefined && COMMANDS.includes(name)) return this.#run([name, '--help'], session)
    if (name !== undefined && !Object.hasOwn(OWN_COMMANDS, name))
      throw new Error(`there is no command ${JSON.stringify(name)}`)
    const own = Object.entries(OWN_COMMANDS)
    if (name !== undefined) await print(session, own.find(([each]) => each === name)?.[1] ?? '')
    else {
      for (const command of COMMANDS) await print(session, this.#summaryOf(command))
      for (const [, line] of own) await print(session, line)
    }
    return EXIT_CODES.done
  }

  #summaryOf(name: string): string {
    const command = this.#program.commands.find(each => each.name() === name)
    return `${name.padEnd(18)} ${command?.summary() ?? ''}`
  }

  async #complete(line: string): Promise<[string[], string]> {
    const timeout = new AbortController()
    const timer = this.#session.env.timers.after(COMPLETION_TIMEOUT_MS, () => timeout.abort())
    const signal = eitherSignal([timeout.signal, this.#session.signal])
    const session = this.#sessionOf(signal)
    const commands = [...COMMANDS, ...Object.keys(OWN_COMMANDS)]
    try {
      return await withClient(session, {}, client =>
        complete(line, { commands, client, signal: session.signal }),
      )
    } catch {
      // A node that does not answer completes nothing; the command itself will say why.
      return [[], line]
    } finally {
      timer.cancel()
      signal.clear()
    }
  }

  #fail(message: string): void {
    note(this.#session, message)
    this.#failed()
  }

  #failed(): void {
    // At a prompt, whoever typed it has seen it. What follows in a script may build on what has failed.
    if (this.#interactive) return
    this.#session.exitCode = EXIT_CODES.refused
    this.#left = true
  }
}

function isTerminal(stream: NodeJS.ReadableStream): boolean {
  return (stream as { isTTY?: boolean }).isTTY === true
}
