/**
 * Histories: what clients asked for and what they were told, with one clock. The simulator records them, and so do
 * clients of real processes (as NDJSON, one event a line); the checker in linearizability.ts reads both.
 */

/** What a client asks of one path. A value stands for the bytes of a file; no two writes of a path have the same. */
export type Action = FileAction | TrashAction

/** What is asked of the file. */
export type FileAction =
  | { readonly kind: 'get' }
  | { readonly kind: 'exists' }
  /** Writes whatever stands there. */
  | ({ readonly kind: 'put' } & Writing)
  /** Writes where nothing stands. */
  | ({ readonly kind: 'create' } & Writing)
  /** Writes where this version stands (If-Match). */
  | ({ readonly kind: 'replace'; readonly etag: string } & Writing)
  /** Removes the file; with an etag, only that version. Of a move it is what happens to the source, and `movedTo` its copy. */
  | { readonly kind: 'remove'; readonly etag?: string; readonly movedTo?: Moved }

/** What is asked of its trash. */
export type TrashAction =
  /** Lists what the trash of the path has. */
  | { readonly kind: 'trash' }
  /** Finds this value in the trash of the path. */
  | { readonly kind: 'trashed'; readonly of: string }
  /** Takes these values out of the trash. */
  | { readonly kind: 'forget'; readonly values: readonly string[] }

/** Of a write: its value, and the value in the trash whose bytes it brings back, which leaves the trash. */
export interface Writing {
  readonly value: string
  /** Its bytes are those of another file, whichever. */
  readonly copied?: true
  readonly restores?: string
}

/** Where a move leaves its file, and the value of the write by which it does. */
export interface Moved {
  readonly path: string
  readonly value: string
}

/** What a client was told. The codes are those of src/errors.ts. */
export type Answer =
  /**
   * `value` for a get; `values` for a list of the trash; `etag` of what was read, listed or written, where it was told; `created`:
   * nothing stood there before.
   */
  | {
      readonly kind: 'ok'
      readonly value?: string
      readonly values?: readonly string[]
      readonly etag?: string
      readonly created?: boolean
    }
  | { readonly kind: 'FILE_NOT_FOUND' | 'FILE_EXISTS' | 'PRECONDITION_FAILED' }
  /** The action surely had no effect and never will have. */
  | { readonly kind: 'refused' }
  /** The action may have had its effect, may have it later, or never. */
  | { readonly kind: 'unknown' }

/** One call of one client. Its effect, if any, is at one moment between the two times. */
export interface Operation {
  /** Unique in its history. */
  readonly id: string
  readonly client: string
  readonly path: string
  readonly action: Action
  /** Ms of the history's clock. */
  readonly invokedAtMs: number
  /** Ms of the history's clock; undefined as long as there is no answer, which counts as `unknown`. */
  readonly answeredAtMs: number | undefined
  readonly answer: Answer
}

/** A line of a history file. */
export type HistoryEvent =
  | {
      readonly event: 'invoked'
      readonly id: string
      readonly atMs: number
      readonly client: string
      readonly path: string
      readonly action: Action
    }
  | { readonly event: 'answered'; readonly id: string; readonly atMs: number; readonly answer: Answer }

/** Two events of one recorder are at least this far apart (1 ns), so that their order can be seen from their times. */
const EVENT_GAP_MS = 1e-6

/** Records what the clients of one process do. */
export class HistoryRecorder {
  readonly #clock: { monotonicMs(): number }
  readonly #written: ((event: HistoryEvent) => void) | undefined
  readonly #operations = new Map<string, Operation>()
  readonly #prefix: string
  #lastMs = Number.NEGATIVE_INFINITY
  #count = 0

  /**
   * Recorders whose histories are put together need clocks that agree, and a `prefix` each that keeps ids apart.
   * `written` receives each event at once, so that a file holds what was asked even when the process is killed.
   */
  constructor(
    components: { readonly clock: { monotonicMs(): number } },
    init: { readonly prefix?: string; readonly written?: (event: HistoryEvent) => void } = {},
  ) {
    this.#clock = components.clock
    this.#prefix = init.prefix ?? ''
    this.#written = init.written
  }

  /** A client is about to ask; to be called before anything is sent. Returns the id for `answered`. */
  invoked(client: string, path: string, action: Action): string {
    const id = `${this.#prefix}${++this.#count}`
    const atMs = this.#moment()
    this.#operations.set(id, unanswered({ id, client, path, action, invokedAtMs: atMs }))
    this.#written?.({ event: 'invoked', id, atMs, client, path, action })
    return id
  }

  /** The client has been told; to be called after the whole answer is there. A second answer is a TypeError. */
  answered(id: string, answer: Answer): void {
    const operation = this.#operations.get(id)
    if (operation === undefined || operation.answeredAtMs !== undefined) {
      throw new TypeError(`Operation ${id} does not wait for an answer.`)
    }
    const atMs = this.#moment()
    this.#operations.set(id, { ...operation, answeredAtMs: atMs, answer })
    this.#written?.({ event: 'answered', id, atMs, answer })
  }

  /** All operations so far, in the order of their invocation. */
  operations(): Operation[] {
    return [...this.#operations.values()]
  }

  #moment(): number {
    this.#lastMs = Math.max(this.#clock.monotonicMs(), this.#lastMs + EVENT_GAP_MS)
    return this.#lastMs
  }
}

/**
 * The operations in NDJSON texts of one history, one text for each recorder. An incomplete last line, as a killed
 * process leaves it, is ignored.
 * @throws TypeError for any other line that is no event, for an id used twice, and for an answer to nothing.
 */
export function parseHistory(texts: readonly string[]): Operation[] {
  const operations = new Map<string, Operation>()
  for (const text of texts) {
    const lines = text.split('\n')
    lines.forEach((line, index) => {
      if (line === '') return
      const event = parseEvent(line)
      if (event !== undefined) takeEvent(operations, event)
      else if (index < lines.length - 1) throw new TypeError(`Line ${index + 1} of a history is no event.`)
    })
  }
  return [...operations.values()].sort((a, b) => a.invokedAtMs - b.invokedAtMs)
}

function parseEvent(line: string): HistoryEvent | undefined {
  try {
    const event = JSON.parse(line) as HistoryEvent
    return event.event === 'invoked' || event.event === 'answered' ? event : undefined
  } catch {
    return undefined
  }
}

function unanswered(asked: Omit<Operation, 'answeredAtMs' | 'answer'>): Operation {
  return { ...asked, answeredAtMs: undefined, answer: { kind: 'unknown' } }
}

function takeEvent(operations: Map<string, Operation>, event: HistoryEvent): void {
  const known = operations.get(event.id)
  if (event.event === 'invoked') {
    if (known !== undefined) throw new TypeError(`Two operations have the id ${event.id}.`)
    const { id, client, path, action, atMs } = event
    operations.set(id, unanswered({ id, client, path, action, invokedAtMs: atMs }))
  } else {
    if (known === undefined || known.answeredAtMs !== undefined) {
      throw new TypeError(`Operation ${event.id} does not wait for an answer.`)
    }
    operations.set(event.id, { ...known, answeredAtMs: event.atMs, answer: event.answer })
  }
}

/** An action as a few words, for people. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'get':
    case 'exists':
      return action.kind
    case 'put':
    case 'create':
      return `${action.kind} ${describeWriting(action)}`
    case 'replace':
      return `replace ${action.etag} by ${describeWriting(action)}`
    case 'trash':
      return 'list the trash'
    case 'trashed':
      return `find ${action.of} in the trash`
    case 'forget':
      return `forget ${action.values.join(', ')}`
    case 'remove':
      if (action.movedTo !== undefined) return `move to ${action.movedTo.path} as ${action.movedTo.value}`
      return action.etag === undefined ? 'remove' : `remove ${action.etag}`
  }
}

function describeWriting({ value, restores }: Writing): string {
  return restores === undefined ? value : `${value} (${restores} restored)`
}

/** An answer as a few words, for people. */
export function describeAnswer(answer: Answer): string {
  if (answer.kind !== 'ok') return answer.kind
  const { value, values, etag, created } = answer
  const parts = [
    value ?? values?.join(', ') ?? 'ok',
    etag,
    created === undefined ? undefined : created ? 'created' : 'replaced',
  ]
  return parts.filter(part => part !== undefined).join(' ')
}
