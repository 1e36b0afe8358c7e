/**
 * `put --tar` and `get --tar`, `get --zip`: a whole folder of the store as one archive, through a pipe or a file.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { StoreClient } from '../client/client.ts'
import { counted, formatQuantity } from '../quantity.ts'
import type { Progress } from './progress.ts'
import { note, print, type Session } from './session.ts'
import { writeTo } from './target-folder.ts'
import { plainer } from './uploads.ts'

interface Components {
  readonly session: Session
  readonly client: StoreClient
  readonly progress: Progress
}

/** Sends the archive in a file, or on standard input, to a folder of the store. */
export async function putArchive(
  { session, client, progress }: Components,
  [source, folder]: readonly [source: string, folder: string],
  options: { readonly overwrite?: boolean; readonly folders?: boolean; readonly json?: boolean },
): Promise<void> {
  const info = source === '-' ? undefined : await stat(source).catch(error => Promise.reject(plainer(error)))
  progress.expect(1, info?.size ?? 0)
  const bytes = source === '-' ? (session.stdin as AsyncIterable<Uint8Array>) : bytesOf(source)
  const report = await client.archives.put(folder, progress.metered(bytes), {
    overwrite: options.overwrite === true,
    folders: options.folders === true,
    signal: session.signal,
  })
  progress.stop()
  for (const { name, reason } of report.skipped) note(session, `skipped (${reason}): ${name}`)
  if (report.skippedMore > 0) note(session, `skipped: ${report.skippedMore} more`)
  const { stored, bytes: size, unchanged } = report
  const words = [
    `${counted(stored, 'file')} stored, ${formatQuantity(size, 'bytes')}`,
    ...(unchanged > 0 ? [`${unchanged} unchanged`] : []),
  ]
  await print(session, options.json ? JSON.stringify(report) : words.join('; '))
}

/** Opened when the first byte is wanted, so that its errors are those of its reader. */
async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(file)
}

/** Fetches a folder of the store as an archive, into a file or to standard output. */
export async function getArchive(
  { session, client, progress }: Components,
  [folder, target]: readonly [folder: string, target: string],
  format: 'tar' | 'zip',
): Promise<void> {
  const { signal } = session
  const archive = await client.archives.get(folder, { format, signal })
  const bytes = progress.metered(archive)
  if (target === '-') await pipeline(bytes, session.stdout, { end: false, signal })
  else await writeTo(session.env, target, bytes, signal)
}
