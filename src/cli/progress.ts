/**
 * How far a command has come: on a terminal one line that moves, elsewhere a line now and then where that is asked for.
 */
import { createRequire } from 'node:module'
import type { Command } from 'commander'
import { formatQuantity } from '../quantity.ts'
import type { Session, TerminalStream } from './session.ts'

/** Between two lines of progress off a terminal, ms. */
const LINE_EVERY_MS = 5_000

export interface Progress {
  /** More is known to be coming. */
  expect(files: number, bytes: number): void
  /** Some bytes went through. */
  advance(bytes: number): void
  fileDone(): void
  /** Removes the line, so that what follows starts on a clean one. */
  stop(): void
  /** Passes a body on and counts its bytes. */
  metered(body: AsyncIterable<Uint8Array>, counted?: (bytes: number) => void): AsyncGenerator<Uint8Array>
}

export function addProgressOption(command: Command): Command {
  return command.option('--progress', 'off a terminal, say every few seconds on standard error how far it is')
}

export function startProgress(
  session: Pick<Session, 'stderr' | 'env'>,
  { bar = 'shown', progress }: { readonly bar?: 'shown' | 'hidden'; readonly progress?: boolean } = {},
): Progress {
  if (bar === 'hidden') return silent
  if (session.stderr.isTTY) return barOn(session.stderr)
  return progress ? linesOn(session) : silent
}

/** What has gone through, and what is to come. */
class Counts {
  bytes = 0
  bytesAll = 0
  files = 0
  filesAll = 0

  expect(files: number, bytes: number): void {
    this.filesAll += files
    this.bytesAll += bytes
  }
}

function linesOn({ stderr, env }: Pick<Session, 'stderr' | 'env'>): Progress {
  const count = new Counts()
  const say = () => {
    const { files, filesAll, bytes, bytesAll } = count
    const [done, all] = [formatQuantity(bytes, 'bytes'), formatQuantity(bytesAll, 'bytes')]
    stderr.write(`${files} of ${filesAll} files, ${done} of ${all}\n`)
    timer = env.timers.after(LINE_EVERY_MS, say)
  }
  let timer = env.timers.after(LINE_EVERY_MS, say)
  const advance = (bytes: number) => {
    count.bytes += bytes
  }
  return {
    expect: (files, bytes) => count.expect(files, bytes),
    advance,
    fileDone() {
      count.files += 1
    },
    stop: () => timer.cancel(),
    metered: (body, counted) => through(body, advance, counted),
  }
}

async function* through(
  body: AsyncIterable<Uint8Array>,
  advance: (bytes: number) => void,
  counted?: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    advance(chunk.byteLength)
    counted?.(chunk.byteLength)
    yield chunk
  }
}

const silent: Progress = {
  expect() {},
  advance() {},
  fileDone() {},
  stop() {},
  metered: (body, counted) => through(body, () => {}, counted),
}

function barOn(stream: TerminalStream): Progress {
  // Loaded where there is a terminal: most runs of a program are not watched.
  const { Presets, SingleBar } = createRequire(import.meta.url)(
    'cli-progress',
  ) as typeof import('cli-progress')
  const bar = new SingleBar(
    {
      stream,
      format: '{bar} {percentage}% | {done} of {all} | {files} of {filesAll} files | {eta_formatted} left',
      hideCursor: true,
      clearOnComplete: true,
      // Ten frames a second look smooth; more only costs.
      fps: 10,
    },
    Presets.shades_classic,
  )
  const count = new Counts()
  const payload = () => ({
    done: formatQuantity(count.bytes, 'bytes'),
    all: formatQuantity(count.bytesAll, 'bytes'),
    files: count.files,
    filesAll: count.filesAll,
  })
  let begun = false
  const advance = (bytes: number) => {
    count.bytes += bytes
    bar.update(count.bytes, payload())
  }
  return {
    expect(files, bytes) {
      count.expect(files, bytes)
      if (!begun) bar.start(count.bytesAll, count.bytes, payload())
      begun = true
      bar.setTotal(count.bytesAll)
      bar.update(count.bytes, payload())
    },
    advance,
    fileDone() {
      count.files += 1
      bar.update(count.bytes, payload())
    },
    stop: () => bar.stop(),
    metered: (body, counted) => through(body, advance, counted),
  }
}
