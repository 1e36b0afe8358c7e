/**
 * What the experiments have in common on the command line: numbers within bounds, a progress bar, and files of
 * figures.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { note, type Session, usageError } from './session.ts'

export interface Bar {
  advance(steps: number): void
  stop(): void
}

/** A bar on a terminal, nothing in a pipe. `what` names the steps. */
export function startBar(session: Session, total: number, what: string): Bar {
  if (!session.stderr.isTTY) return { advance() {}, stop() {} }
  const bar = new SingleBar({
    stream: session.stderr,
    format: `{bar} {percentage}% | {value} of {total} ${what} | {eta_formatted} left`,
    hideCursor: true,
    clearOnComplete: true,
  })
  bar.start(total, 0)
  return { advance: steps => bar.increment(steps), stop: () => bar.stop() }
}

/** Writes files into a folder, and says so. */
export async function writeFiles(
  session: Session,
  folder: string,
  files: readonly (readonly [name: string, text: string])[],
): Promise<void> {
  for (const [name, text] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  note(session, `Written to ${folder}: ${files.map(([name]) => name).join(', ')}`)
}

export function integer(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max)
      throw usageError(`${text} is no whole number from ${min} to ${max}`)
    return value
  }
}

export function integers(min: number, max: number): (text: string) => number[] {
  const one = integer(min, max)
  return text => text.split(',').map(one)
}
