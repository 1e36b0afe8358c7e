/**
 * Kills a process that writes, again and again, and looks at what it left. STORAGE_CRASH_ROUNDS sets how often (6).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { bodyOf, bytesOf, sha256Of } from './conformance.ts'

const script = fileURLToPath(new URL('crash-child.ts', import.meta.url))
const rounds = Number(process.env.STORAGE_CRASH_ROUNDS ?? 6)

/** What stands at a path: undefined for nothing. */
type Content = { readonly size: number; readonly seed: number } | undefined

/** What the child has said of a path: the content acknowledged last, and what it had begun when it died. */
interface Told {
  acknowledged: Content
  begun: { readonly content: Content } | undefined
}

t.test(`${rounds} kills in the middle of writes lose nothing that was acknowledged`, async t => {
  const directory = join(t.testdir(), 'data')
  const told = new Map<string, Told>()
  let acknowledgements = 0
  for (let round = 0; round < rounds; round += 1) {
    acknowledgements += await killInTheMiddle(directory, round, told)
    await checkWhatIsLeft(t, directory, told)
  }
  t.comment(`${acknowledgements} acknowledged writes`)
})

async function killInTheMiddle(directory: string, round: number, told: Map<string, Told>): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  // Another moment each time: from the first writes after the start to well under way.
  const killAfter = 3 + ((round * 37) % 150)
  let acknowledgements = 0
  for await (const line of linesOf(child)) {
    const [word, path = '', size, seed] = line.split('\t')
    const told1 = told.get(path) ?? { acknowledged: undefined, begun: undefined }
    told.set(path, told1)
    if (word === 'put') told1.begun = { content: { size: Number(size), seed: Number(seed) } }
    else if (word === 'remove') told1.begun = { content: undefined }
    else if (told1.begun) {
      told1.acknowledged = told1.begun.content
      told1.begun = undefined
      acknowledgements += 1
      if (acknowledgements === killAfter) child.kill('SIGKILL')
    }
  }
  if (child.exitCode !== null) throw new Error(`the child ended by itself with ${child.exitCode}`)
  return acknowledgements
}

async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  if (!child.stdout) throw new TypeError('a child without stdout')
  const exit = once(child, 'exit')
  yield* createInterface({ input: child.stdout })
  await exit
}

async function checkWhatIsLeft(t: Test, directory: string, told: Map<string, Told>): Promise<void> {
  // The kernel has let go of the lock of a killed process: no waiting, no second try.
  const storage = await LmdbStorage.open({ env: realEnv() }, { directory })
  const wrong: string[] = []
  for (const [path, told1] of told) {
    const bytes = await bytesOf(storage, path)
    const same = (content: Content) =>
      content ? bytes?.equals(bodyOf(content.size, content.seed)) : bytes === undefined
    if (told1.begun && same(told1.begun.content)) told1.acknowledged = told1.begun.content
    else if (!same(told1.acknowledged)) wrong.push(path)
    told1.begun = undefined
  }
  t.same(wrong, [], 'every path holds what was acknowledged last, or what was being written')

  const entries = [...storage.list('')]
  t.equal(storage.statistics().files, entries.length)
  t.equal(
    storage.statistics().bytes,
    entries.reduce((sum, { size }) => sum + size, 0),
  )
  t.same(await readdir(join(directory, 'staging')), [])
  const named: string[] = []
  for (const { path } of entries) {
    const body = (await storage.find(parsePathName(path)))?.body
    const bytes = await bytesOf(storage, path)
    if (!bytes || body?.sha256 !== sha256Of(bytes)) wrong.push(path)
    if (body && 'blobId' in body.content) named.push(body.content.blobId)
  }
  t.same(wrong, [], 'every file has its hash')
  const blobs = await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })
  const files = blobs.filter(entry => entry.isFile()).map(entry => entry.name)
  t.same(files.sort(), named.sort(), 'every blob belongs to a record')
  await storage.close()
}
