/**
 * `altered-chord verify`: whether everything that is kept is still what was stored, on all nodes or on one.
 */
import type { Command } from 'commander'
import type { StoreClient, VerificationProgress, VerificationWord } from '../client/client.ts'
import { counted, formatQuantity } from '../quantity.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { startProgress } from './progress.ts'
import { clearLine, EXIT_CODES, note, noteFailure, print, type Session } from './session.ts'

interface VerifyOptions extends ConnectionOptions {
  readonly local?: boolean
  readonly json?: boolean
}

export function addVerifyCommand(program: Command, session: Session): void {
  const command = program
    .command('verify')
    .summary('check every copy of every file, and heal')
    .description(
      'Makes every node read every copy that it keeps and check every byte. A damaged or missing copy is replaced by a good\n' +
        'one from another node, and a range that has lost replicas gets new ones. What was wrong is named on standard error.\n' +
        'The exit code is 0 when all is well or was healed, and 1 otherwise. The nodes go on serving meanwhile.',
    )
    .option('--local', 'only read what the one node keeps; heals nothing')
    .option('--json', 'print what was found, and the counts at the end, as lines of JSON')
  addConnectionOptions(command).action((options: VerifyOptions) =>
    withClient(session, options, client =>
      options.json
        ? verifyAsJson(session, client, options)
        : options.local
          ? verifyLocally(session, client)
          : verify(session, client),
    ),
  )
}

/** What a node says as it says it, without the counts on the way. */
async function verifyAsJson(session: Session, client: StoreClient, { local }: VerifyOptions): Promise<void> {
  const { signal } = session
  for await (const word of client.verify({ signal, ...(local && { local }) })) {
    if ('done' in word && !word.done) continue
    if ('path' in word || 'range' in word)
      if (!('healed' in word) || !word.healed) session.exitCode = EXIT_CODES.refused
    await print(session, JSON.stringify(word))
  }
}

/** The whole network, with one line of progress on a terminal. */
async function verify(session: Session, client: StoreClient): Promise<void> {
  const { signal, stderr } = session
  let last: VerificationProgress | undefined
  try {
    for await (const word of client.verify({ signal })) {
      if (!('done' in word)) tell(session, word)
      else {
        last = word
        if (stderr.isTTY && !word.done) stderr.write(`${clearLine}checked ${countsOf(word)}`)
      }
    }
  } finally {
    if (stderr.isTTY) stderr.write(clearLine)
  }
  if (last === undefined) return
  const { damaged, underReplicated = 0, healed = 0, unhealed = 0 } = last
  const found = `${damaged} damaged, ${underReplicated} under-replicated, ${healed} healed, ${unhealed} not healed`
  await print(session, `${countsOf(last)}: ${found}`)
}

function countsOf({ ranges = 0, rangesAll = 0, files, bytes }: VerificationProgress): string {
  const of = ranges === rangesAll ? '' : `${ranges} of `
  return `${of}${counted(rangesAll, 'range')}, ${counted(files, 'file')}, ${formatQuantity(bytes, 'bytes')} read`
}

/** What could not be healed makes the command fail; what was, or could not be looked at, is only named. */
function tell(session: Session, word: Exclude<VerificationWord, VerificationProgress>): void {
  if ('path' in word) {
    const error = Object.assign(new Error(word.message), { code: word.code })
    const what = `${word.path} at ${word.node}`
    if (!word.healed) return noteFailure(session, `damaged: ${what}`, error)
    return note(session, `healed: ${what}: ${word.message} (${word.code})`)
  }
  if ('range' in word) {
    const { lo, hi } = word.range
    const what = `range (${lo.slice(0, DIGITS_SHOWN)}.. ${hi.slice(0, DIGITS_SHOWN)}..]`
    if (!word.healed) return noteFailure(session, `not as it should be: ${what}`, new Error(word.message))
    return note(session, `healed: ${what}: ${word.message}`)
  }
  note(session, `not checked: ${word.node}: ${word.message} (${word.code})`)
}

/** Hexadecimal digits of a position that are shown, as in the overlay. */
const DIGITS_SHOWN = 8

async function verifyLocally(session: Session, client: StoreClient): Promise<void> {
  const { signal } = session
  const progress = startProgress(session)
  const before = { files: 0, bytes: 0, damaged: 0 }
  try {
    const { files, bytes } = (await client.status({ signal })) as { files: number; bytes: number }
    progress.expect(files, bytes)
    for await (const word of client.verify({ signal, local: true })) {
      if ('path' in word) {
        const error = Object.assign(new Error(word.message), { code: word.code })
        noteFailure(session, `damaged: ${word.path}`, error)
      } else if ('done' in word) {
        progress.advance(word.bytes - before.bytes)
        for (let i = before.files; i < word.files; i += 1) progress.fileDone()
        Object.assign(before, word)
      }
    }
  } finally {
    progress.stop()
  }
  const { files, bytes, damaged } = before
  await print(
    session,
    `${counted(files, 'file')} checked, ${formatQuantity(bytes, 'bytes')} read, ${damaged} damaged`,
  )
}
