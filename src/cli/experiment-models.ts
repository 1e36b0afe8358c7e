/**
 * `altered-chord experiment insert`, `query`, `consistency`, and `models`, which is all three: what each model of consistency costs, in networks of real processes.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { ModelExperiment, PairRequest } from '../lab/experiments/models-requests.ts'
import { integer, integers, startBar, writeFiles } from './experiment-terms.ts'
import { note, print, type Session, usageError } from './session.ts'

/** Each node is a process of some 100 MiB. */
const NODES_MAX = 50
const REPLICAS_MAX = 7
const CLIENTS_MAX = 200
const OPERATIONS_MAX = 100_000

/** Of a file of requests, bytes. */
const INPUT_BYTES_MAX = 32 * 1024 * 1024

interface ModelsOptions {
  readonly nodes: number
  readonly replicas: readonly number[]
  readonly consistency: string
  readonly operations: number
  readonly clients: readonly number[]
  readonly seed: number
  readonly input?: string
  readonly output?: string
}

const WHAT: Readonly<Record<ModelExperiment | 'models', readonly [description: string, input?: string]>> = {
  insert: [
    'Inserts of pairs: how many a second, and how long each takes.',
    'a file of lines KEY, VALUE instead of drawn ones',
  ],
  query: [
    'Queries of pairs that are there: how many a second, and how long each takes.',
    'a file with a key in each line instead of drawn ones',
  ],
  consistency: [
    'Inserts and queries of the same few keys, and how many queries do not see what was inserted before them.',
    'a file of lines insert, KEY, VALUE and query, KEY instead of drawn ones',
  ],
  models: ['All three experiments, insert, query and consistency, in the same networks.'],
}

export function addModelsExperiments(experiment: Command, session: Session): void {
  for (const name of ['insert', 'query', 'consistency', 'models'] as const) {
    const [description, input] = WHAT[name]
    const command = experiment
      .command(name)
      .description(
        `${description} Starts networks of real\nprocesses on this machine, one for each number of copies and each model, and ends them.`,
      )
      .option('--nodes <count>', 'nodes of each network', integer(1, NODES_MAX), 10)
      .option('--replicas <counts>', 'copies, separated by commas', integers(1, REPLICAS_MAX), [1, 3, 5])
      .option('--consistency <model>', 'chain, eventual or both', 'both')
      .option('--operations <count>', 'requests of each experiment', integer(1, OPERATIONS_MAX), 500)
      .option(
        '--clients <counts>',
        'requests that are under way at once, separated by commas',
        integers(1, CLIENTS_MAX),
        [1, 10],
      )
      .option(
        '--seed <number>',
        'of the requests, and of the nodes that they go to',
        integer(0, Number.MAX_SAFE_INTEGER),
        1,
      )
    if (input !== undefined) command.option('--input <file>', input)
    command
      .option('-o, --output <folder>', 'also writes a page, its plots and figures.csv there')
      .addHelpText(
        'after',
        `
Figures that the folder has of other networks, numbers of clients or experiments stay there.

Examples:
  altered-chord experiment ${name} --nodes 5 --replicas 1,3
  altered-chord experiment ${name} --consistency chain --clients 1 --output figures`,
      )
      .action((options: ModelsOptions, given: Command) => {
        if (options.input !== undefined && given.getOptionValueSource('operations') === 'cli')
          throw usageError('--operations is for requests that are drawn; --input has its own.')
        const experiments = name === 'models' ? (['insert', 'query', 'consistency'] as const) : [name]
        return experimentModels(session, experiments, options)
      })
  }
}

async function experimentModels(
  session: Session,
  experiments: readonly ModelExperiment[],
  options: ModelsOptions,
): Promise<void> {
  const { nodes, replicas, clients, seed, input, operations } = options
  const tooMany = replicas.find(count => count > nodes)
  if (tooMany !== undefined) throw usageError(`${tooMany} copies need as many nodes, not ${nodes}.`)
  const { drawRequests, readRequests } = await import('../lab/experiments/models-requests.ts')
  const { machineHere, measureModels, stepsOf } = await import('../lab/experiments/models-real.ts')
  const report = await import('../lab/experiments/models-report.ts')
  const text = input === undefined ? undefined : await textOf(input)
  const requests = experiments.map((experiment): readonly [ModelExperiment, readonly PairRequest[]] => [
    experiment,
    text === undefined ? drawRequests(experiment, { operations, seed }) : readRequests(experiment, text),
  ])
  const networks = modelsOf(options.consistency).flatMap(consistency =>
    replicas.map(count => ({ nodes, replicas: count, consistency })),
  )
  const { signal } = session
  const run = { experiments: requests, clients, seed, signal, step: () => progress.advance(1) }
  const total = networks.reduce((sum, network) => sum + stepsOf(network, run), 0)
  const progress = startBar(session, total, 'nodes and requests')
  const machine = machineHere()
  const day = new Date(session.env.clock.nowMs()).toISOString().slice(0, 10)
  const lines: ReturnType<typeof report.lineOf>[] = []
  try {
    for (const network of networks) {
      note(session, `${nodes} nodes, ${network.consistency}, k = ${network.replicas}`)
      const figures = await measureModels({ env: session.env }, network, run)
      lines.push(...figures.map(figure => report.lineOf(figure, { seed, machine, day })))
    }
  } finally {
    progress.stop()
    // Also what was measured before an interrupt.
    for (const experiment of experiments) {
      const some = lines.filter(line => line.experiment === experiment)
      if (some.length === 0) continue
      await print(session, `${experiment}:`)
      for (const line of report.tableOf(some)) await print(session, line)
    }
    if (options.output !== undefined && lines.length > 0) {
      const kept = await keptIn(options.output, report.FIGURES_FILE)
      const all = report.joined(report.linesIn(kept) ?? [], lines)
      if (all === undefined)
        note(session, `Not written: ${options.output} has figures of other nodes, requests or machines.`)
      else
        await writeFiles(
          session,
          options.output,
          report.modelsPage(all, 'altered-chord experiment models --output docs/experiments/models'),
        )
    }
  }
}

/** @throws an error of the command line when there is no such file, or it is too large. */
async function textOf(file: string): Promise<string> {
  try {
    if ((await stat(file)).size <= INPUT_BYTES_MAX) return await readFile(file, 'utf8')
  } catch (error) {
    throw usageError(`${file} cannot be read: ${(error as Error).message}`)
  }
  throw usageError(`${file} is larger than ${INPUT_BYTES_MAX} bytes.`)
}

async function keptIn(folder: string, name: string): Promise<string> {
  try {
    return await readFile(join(folder, name), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function modelsOf(text: string): ('chain' | 'eventual')[] {
  if (text === 'both') return ['chain', 'eventual']
  if (text === 'chain' || text === 'eventual') return [text]
  throw usageError(`--consistency is chain, eventual or both, not ${text}`)
}
