/**
 * Owns `altered-chord verify`: whether everything that a node keeps is still what was stored.
 */
import type { Command } from 'commander'
import type { StoreClient } from '../client/client.ts'
import { formatQuantity } from '../quantity.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { startProgress } from './progress.ts'
import { noteFailure, print, type Session } from './session.ts'

export function addVerifyCommand(program: Command, session: Session): void {
  const command = program
    .command('verify')
    .summary('check every byte that a node keeps')
    .description(
      'Makes the node read every file that it keeps and check every byte against its checksums. Damaged files are named\n' +
        'on standard error and the exit code is 1. The node goes on serving meanwhile.',
    )
  addConnectionOptions(command).action((options: ConnectionOptions) =>
    withClient(session, options, client => verify(session, client)),
  )
}

async function verify(session: Session, client: StoreClient): Promise<void> {
  const { signal } = session
  const progress = startProgress(session.stderr)
  const before = { files: 0, bytes: 0, damaged: 0 }
  try {
    const { files, bytes } = (await client.status({ signal })) as { files: number; bytes: number }
    progress.expect(files, bytes)
    for await (const word of client.verify({ signal })) {
      if ('path' in word) {
        noteFailure(
          session,
          `damaged: ${word.path}`,
          Object.assign(new Error(word.message), { code: word.code }),
        )
        continue
      }
      progress.advance(word.bytes - before.bytes)
      for (let i = before.files; i < word.files; i += 1) progress.fileDone()
      Object.assign(before, word)
    }
  } finally {
    progress.stop()
  }
  const { files, bytes, damaged } = before
  await print(session, `${files} files checked, ${formatQuantity(bytes, 'bytes')} read, ${damaged} damaged`)
}
