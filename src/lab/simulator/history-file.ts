/**
 * The form of history files: NDJSON with one event a line (`HistoryEvent`), of one history or of several. A line
 * `{"event":"history","name":"…"}` begins the next history; without one the whole file is a single history.
 * test/porcupine reads the same files.
 */
import { type HistoryEvent, type Operation, parseHistory } from './history.ts'

/** Begins a history in a file of several. */
interface HistoryHeader {
  readonly event: 'history'
  readonly name: string
}

/** A history as text, its name first; events in the order of their times. */
export function formatHistory(name: string, operations: readonly Operation[]): string {
  const header: HistoryHeader = { event: 'history', name }
  // An answer comes after its call, at the same moment too: the sort is stable.
  const events = operations.flatMap(eventsOf).sort((a, b) => a.atMs - b.atMs)
  return [header, ...events].map(line => `${JSON.stringify(line)}\n`).join('')
}

/**
 * The histories of a text by their names; `name` is that of a single one without a header.
 * @throws TypeError for what parseHistory refuses, and for a name used twice.
 */
export function parseHistories(text: string, name: string): Map<string, Operation[]> {
  const histories = new Map<string, Operation[]>()
  let current = { name, lines: [] as string[] }
  const end = () => {
    if (current.lines.length === 0 && current.name === name) return
    if (histories.has(current.name)) throw new TypeError(`Two histories have the name ${current.name}.`)
    histories.set(current.name, parseHistory([current.lines.join('\n')]))
  }
  for (const line of text.split('\n')) {
    const header = headerIn(line)
    if (header === undefined) {
      current.lines.push(line)
      continue
    }
    if (current.lines.every(before => before === '')) current.lines = []
    end()
    current = { name: header.name, lines: [] }
  }
  end()
  return histories
}

function headerIn(line: string): HistoryHeader | undefined {
  if (!line.startsWith('{"event":"history"')) return undefined
  return JSON.parse(line) as HistoryHeader
}

function eventsOf({
  id,
  client,
  path,
  action,
  invokedAtMs,
  answeredAtMs,
  answer,
}: Operation): HistoryEvent[] {
  const invoked: HistoryEvent = { event: 'invoked', id, atMs: invokedAtMs, client, path, action }
  if (answeredAtMs === undefined) return [invoked]
  return [invoked, { event: 'answered', id, atMs: answeredAtMs, answer }]
}
