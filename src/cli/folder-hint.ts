/**
 * The hint that whoever named a folder, where a file is wanted, gets: no file has that path, and some lie below it.
 */
import type { StoreClient } from '../client/client.ts'
import { errorCode } from '../errors.ts'
import type { Session } from './session.ts'

/** The error, or one that names `-r` when no file can have the path, or none has it, and files lie below it. */
export async function withFolderHint(
  { signal }: Pick<Session, 'signal'>,
  client: Pick<StoreClient, 'list'>,
  path: string,
  error: unknown,
  hint = 'it is a folder; add -r for what lies in it',
): Promise<unknown> {
  const code = errorCode(error)
  if (code !== 'FILE_NOT_FOUND' && !(code === 'INVALID_PATH' && path.endsWith('/'))) return error
  const prefix = `${path.replace(/^\//, '').replace(/\/+$/, '')}/`
  try {
    for await (const _file of client.list(prefix, { signal, limit: 1 }))
      return new Error(`${hint} (${code})`, { cause: error })
  } catch {
    // What was wrong with the path itself is the better answer.
  }
  return error
}
