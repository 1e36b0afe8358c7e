/**
 * `npm run crash-loop [-- ROUNDS]`: the long form of crash-loop.test.ts, 60 rounds unless told otherwise. Prints a line
 * for each round and ends with 0 when every answered write was there after every crash.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCrashLoop } from './crash-loop.ts'

const rounds = Number(process.argv[2] ?? 60)
if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('ROUNDS is a whole number from 1 on')
const dataDirectory = await mkdtemp(join(tmpdir(), 'altered-chord-crash-loop-'))
try {
  const { answered } = await runCrashLoop({
    rounds,
    dataDirectory,
    onRound: r =>
      console.log(
        `round ${r.round}: ${r.answered} writes answered, ${r.unknown} cut off (${r.unknownHappened} had happened); ` +
          `restart ${Math.round(r.startMs)} ms, ${r.files} files compared, ${r.blobs} blob files, staging empty`,
      ),
  })
  console.log(`${rounds} crashes, ${answered} answered writes, none lost, nothing left over`)
} finally {
  await rm(dataDirectory, { recursive: true, force: true })
}
