/**
 * `altered-chord copy` and `altered-chord move`: a file, what fits patterns, or folders, inside the store. Of many files each is
 * copied or moved on its own: what can be done is done, and what could not is named.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Command } from 'commander'
import type { ListedFile, Receipt, StoreClient } from '../client/client.ts'
import { errorCode } from '../errors.ts'
import { counted, formatQuantity } from '../quantity.ts'
import { addPathConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { withFolderHint } from './folder-hint.ts'
import { expanded, isGlob } from './globs.ts'
import { receiptLine } from './receipt-line.ts'
import { prefixOf } from './remove.ts'
import { noteFailure, print, type Session, usageError } from './session.ts'
import { forEachAtOnce, PARALLEL_DEFAULT, parseParallel } from './transfers.ts'

type Verb = 'copy' | 'move'

interface Options extends ConnectionOptions {
  readonly recursive?: boolean
  readonly overwrite?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly parallel: number
}

interface Pair {
  readonly from: string
  readonly to: string
  /** What a list says of `from`, where one was made. */
  readonly listed?: ListedFile
}

export function addCopyAndMoveCommands(program: Command, session: Session): void {
  for (const verb of ['copy', 'move'] as const) addCommand(program, session, verb)
}

function addCommand(program: Command, session: Session, verb: Verb): void {
  const command = program
    .command(verb)
    .alias(verb === 'copy' ? 'cp' : 'mv')
    .summary(verb === 'copy' ? 'copy files inside the store' : 'give files another path')
    .description(
      (verb === 'copy'
        ? 'Copies files inside the store; their bytes do not pass through this machine.\n'
        : 'Gives files another path. At no moment is a file at neither of them.\n') +
        'One SOURCE goes to DESTINATION itself, unless that ends with "/"; several go below it under their own names.\n' +
        'With -r, a folder is copied or moved file by file; the same command once more does what is left.',
    )
    .usage('[options] SOURCE... DESTINATION')
    .argument('<source...>', 'paths, or patterns such as "photos/*.jpg"; the last one is the DESTINATION')
    .option('-r, --recursive', 'everything below each SOURCE')
    .option('--overwrite', 'replace files at the destination')
    .option('-n, --dry-run', 'say what would be done, and do nothing')
    .option('--parallel <number>', 'files at once', parseParallel, PARALLEL_DEFAULT)
    .option('--json', 'print the receipt of each file as a line of JSON')
  addPathConnectionOptions(command).action((args: string[], options: Options) => {
    const destination = args.at(-1) as string
    const sources = args.slice(0, -1)
    refuse(verb, sources, destination, options)
    return withClient(session, options, client =>
      new Run({ session, client }, verb, options).run(sources, destination),
    )
  })
}

function refuse(verb: Verb, sources: readonly string[], destination: string, options: Options): void {
  if (sources.length === 0)
    throw usageError(`Say what to ${verb} and where: altered-chord ${verb} ${destination} DESTINATION`)
  // An unset variable of a script must not move everything; who means that writes "/".
  if (sources.includes('') || destination === '') throw usageError('A path is empty.')
  if (!isFolder(destination) && (sources.length > 1 || sources.some(isGlob)))
    throw usageError(`Several files go into a folder: end the DESTINATION with "/", as in ${destination}/`)
  if (!options.recursive) return
  for (const source of sources) {
    const [from, to] = [prefixOf(source), prefixOf(targetOf(source, destination))]
    // A list of what is below would meet the copies that it has led to.
    if (from.startsWith(to) || to.startsWith(from))
      throw usageError(`${source} and ${destination} are the same, or one lies in the other.`)
  }
}

class Run {
  readonly #session: Session
  readonly #client: StoreClient
  readonly #verb: Verb
  readonly #options: Options
  readonly #counts = { files: 0, bytes: 0, unchanged: 0 }
  #last: Receipt | undefined

  constructor(components: { session: Session; client: StoreClient }, verb: Verb, options: Options) {
    this.#session = components.session
    this.#client = components.client
    this.#verb = verb
    this.#options = options
  }

  async run(sources: readonly string[], destination: string): Promise<void> {
    const { recursive, json, dryRun, parallel } = this.#options
    const pairs = recursive ? this.#below(sources, destination) : this.#each(sources, destination)
    await forEachAtOnce(
      pairs,
      { parallel, signal: this.#session.signal },
      pair => this.#one(pair),
      async ({ from, to }, error) => {
        const said = recursive ? error : await withFolderHint(this.#session, this.#client, from, error)
        noteFailure(this.#session, `not ${this.#done}: ${from} to ${to}`, said)
      },
    )
    if (json || dryRun) return
    const isOne = !recursive && sources.length === 1 && !sources.some(isGlob)
    if (!isOne) await print(this.#session, this.#summary())
    else if (this.#last) await print(this.#session, receiptLine(this.#last))
  }

  async *#each(sources: readonly string[], destination: string): AsyncGenerator<Pair> {
    for await (const from of expanded(this.#client, sources, this.#session))
      yield { from, to: targetOf(from, destination) }
  }

  async *#below(sources: readonly string[], destination: string): AsyncGenerator<Pair> {
    const { signal } = this.#session
    for (const source of sources) {
      const [prefix, target] = [prefixOf(source), targetOf(source, destination)]
      let found = false
      for await (const listed of this.#client.list(prefix, { signal })) {
        found = true
        yield { from: listed.path, to: prefixOf(target) + listed.path.slice(prefix.length), listed }
      }
      // Nothing below it: then it is a file, or an error that says what it is.
      if (!found) yield { from: source, to: target }
    }
  }

  async #one({ from, to, listed }: Pair): Promise<void> {
    const { overwrite, dryRun, json } = this.#options
    const { signal } = this.#session
    if (dryRun) return print(this.#session, `would be ${this.#done}: ${from} to ${to}`)
    const receipt = await (listed && this.#verb === 'copy'
      ? this.#copyListed(listed, to)
      : this.#client[this.#verb](from, to, { signal, ...(overwrite && { overwrite }) }))
    if (receipt === undefined) {
      this.#counts.unchanged += 1
      return
    }
    this.#counts.files += 1
    this.#counts.bytes += receipt.size
    this.#last = receipt
    if (json) await print(this.#session, JSON.stringify(receipt))
  }

  /** Undefined when an earlier run has copied it. */
  async #copyListed({ path, ...listed }: ListedFile, to: string): Promise<Receipt | undefined> {
    const { signal } = this.#session
    try {
      return await this.#client.copy(path, to, { signal })
    } catch (error) {
      if (errorCode(error) !== 'FILE_EXISTS') throw error
      const { body, etag, ...there } = await this.#client.get(to, { signal })
      body.destroy()
      if (isSame(listed, there)) return undefined
      if (!this.#options.overwrite) throw error
      return this.#client.copy(path, to, { signal, ifMatch: etag })
    }
  }

  get #done(): string {
    return this.#verb === 'copy' ? 'copied' : 'moved'
  }

  #summary(): string {
    const { files, bytes, unchanged } = this.#counts
    const rest = unchanged > 0 ? `; ${unchanged} unchanged` : ''
    return `${counted(files, 'file')} ${this.#done}, ${formatQuantity(bytes, 'bytes')}${rest}`
  }
}

type Kept = Pick<ListedFile, 'size' | 'mediaType' | 'meta'> & { readonly sha256?: string | undefined }

function isSame(a: Kept, b: Kept): boolean {
  const parts = ({ size, mediaType, meta }: Kept) => [size, mediaType, Object.entries(meta ?? {}).sort()]
  return a.sha256 !== undefined && a.sha256 === b.sha256 && isDeepStrictEqual(parts(a), parts(b))
}

function isFolder(path: string): boolean {
  return path.endsWith('/')
}

/** Where one source goes: to the destination itself, or below it under its own name. */
function targetOf(source: string, destination: string): string {
  const name = source.replace(/\/+$/, '').split('/').at(-1) ?? ''
  return isFolder(destination) ? prefixOf(destination) + name : destination
}
