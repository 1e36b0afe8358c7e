/**
 * Owns the progress bar: on a terminal one line that moves, in a pipe nothing at all.
 */
import { Presets, SingleBar } from 'cli-progress'
import { formatQuantity } from '../quantity.ts'
import type { TerminalStream } from './session.ts'

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

export function startProgress(stream: TerminalStream, bar: 'shown' | 'hidden' = 'shown'): Progress {
  return stream.isTTY && bar === 'shown' ? barOn(stream) : silent
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
  const count = { bytes: 0, bytesAll: 0, files: 0, filesAll: 0 }
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
      count.filesAll += files
      count.bytesAll += bytes
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
