/**
 * The program as a package has it. Nodes start from it in half the time that they need to read the sources.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url))

/** Below node_modules, so that the program finds its packages. */
const CACHE = join(repositoryRoot, 'node_modules/.cache/altered-chord')

/** A program that no test has asked for in this time is deleted, ms. */
const KEPT_MS = 24 * 3600_000

let compiled: string | undefined

/** A file of the compiled program that starts it. It is made of the sources as they are at the first call; test files share it. */
export function compiledProgram(file: 'start.js' | 'bin/altered-chord.js'): string {
  compiled ??= compile()
  return join(compiled, file)
}

function compile(): string {
  const folder = join(CACHE, digestOfSources())
  if (existsSync(folder)) {
    const now = new Date()
    utimesSync(folder, now, now)
    return folder
  }
  mkdirSync(CACHE, { recursive: true })
  for (const name of readdirSync(CACHE)) {
    const other = join(CACHE, name)
    const changedAt = statSync(other, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (Date.now() - changedAt > KEPT_MS) rmSync(other, { recursive: true, force: true })
  }
  const unfinished = mkdtempSync(join(CACHE, 'unfinished-'))
  // Some tests run it as another user.
  chmodSync(unfinished, 0o755)
  execFileSync(process.execPath, [join(repositoryRoot, 'packaging/build.js'), join(unfinished, 'dist')])
  cpSync(join(repositoryRoot, 'bin'), join(unfinished, 'bin'), { recursive: true })
  for (const name of ['start.js', 'package.json'])
    copyFileSync(join(repositoryRoot, name), join(unfinished, name))
  try {
    renameSync(unfinished, folder)
  } catch (error) {
    // Another test file was faster.
    if (!existsSync(folder)) throw error
    rmSync(unfinished, { recursive: true })
  }
  return folder
}

function digestOfSources(): string {
  const hash = createHash('sha256')
  for (const name of ['src', 'bin', 'packaging/build.js', 'start.js', 'package.json', 'tsconfig.json']) {
    const place = join(repositoryRoot, name)
    const isFolder = statSync(place).isDirectory()
    const files = isFolder ? readdirSync(place, { recursive: true, encoding: 'utf8' }).sort() : ['']
    for (const file of files) {
      const path = join(place, file)
      if (statSync(path).isFile()) hash.update(`${name}/${file}\0`).update(readFileSync(path))
    }
  }
  return hash.digest('hex').slice(0, 16)
}
