/**
 * What the experiments with the two models of consistency ask of a network: pairs that are inserted and queried, drawn from a seed or
 * read from a text with one request in each line.
 */
import { StoreError } from '../../errors.ts'
import { SeededRandom } from '../simulator/seeded-random.ts'

/** Inserts alone, queries alone, and both of few keys. */
export const EXPERIMENTS = ['insert', 'query', 'consistency'] as const

export type ModelExperiment = (typeof EXPERIMENTS)[number]

export type PairRequest =
  | { readonly kind: 'insert'; readonly key: string; readonly value: string }
  | { readonly kind: 'query'; readonly key: string }

/** Requests of one run. */
export const REQUESTS_MAX = 100_000

/** Keys that the requests of `consistency` share: few, so that what was just written is read. */
const SHARED_KEYS = 20

/** The same seed gives the same requests. */
export function drawRequests(
  experiment: ModelExperiment,
  { operations, seed }: { readonly operations: number; readonly seed: number },
): PairRequest[] {
  const random = new SeededRandom(seed).fork(experiment)
  const insert = (key: string): PairRequest => ({ kind: 'insert', key, value: `value ${random.next32()}` })
  const query = (key: string): PairRequest => ({ kind: 'query', key })
  return Array.from({ length: operations }, (_, index) => {
    if (experiment === 'insert') return insert(`key ${index}`)
    if (experiment === 'query') return query(`key ${random.int(0, operations - 1)}`)
    const key = `shared ${random.int(1, SHARED_KEYS)}`
    return random.chance(0.5) ? insert(key) : query(key)
  })
}

/**
 * `insert`: lines of `KEY, VALUE`; `query`: a key in each line; `consistency`: lines of `insert, KEY, VALUE` and `query, KEY`. A value begins after
 * the last comma.
 * @throws StoreError INVALID_REQUEST that names the line.
 */
export function readRequests(experiment: ModelExperiment, text: string): PairRequest[] {
  const lines = text.split(/\r?\n/)
  const requests = lines.flatMap((line, index): PairRequest[] => {
    if (line.trim() === '') return []
    const request = requestIn(experiment, line.trim())
    if (request === undefined || request.key === '')
      throw new StoreError('INVALID_REQUEST', `Line ${index + 1} is no request of this experiment: ${line}`)
    return [request]
  })
  if (requests.length === 0 || requests.length > REQUESTS_MAX)
    throw new StoreError(
      'INVALID_REQUEST',
      `There are ${requests.length} requests; 1 to ${REQUESTS_MAX} can be made.`,
    )
  return requests
}

function requestIn(experiment: ModelExperiment, line: string): PairRequest | undefined {
  if (experiment === 'query') return { kind: 'query', key: line }
  if (experiment === 'insert') return insertIn(line)
  const [, kind, rest = ''] = /^(insert|query)\s*,\s*(.*)$/.exec(line) ?? []
  if (kind === 'query') return { kind, key: rest }
  return kind === undefined ? undefined : insertIn(rest)
}

function insertIn(text: string): PairRequest | undefined {
  const comma = text.lastIndexOf(',')
  if (comma < 0) return undefined
  return { kind: 'insert', key: text.slice(0, comma).trim(), value: text.slice(comma + 1).trim() }
}
