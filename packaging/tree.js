// Makes the folder that a Debian package and a single-file executable carry: the program, compiled, with the packages that it
// needs at run time and nothing else, for the machine that this runs on.
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryRoot = fileURLToPath(new URL('../', import.meta.url))

export const { version: VERSION } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'))

/** What the packages bring for people who develop, and for other machines. */
const NOT_NEEDED = [
  /\.(?:ts|mts|cts|map|md|markdown|flow)$/i,
  /^(?:test|tests|example|examples|benchmark|docs|\.github)$/,
]

/** Of another engine (bare), which tar-stream also runs on; nothing loads them in Node.js. */
const OF_BARE = /^bare-(?:fs|url|buffer|path|stream)$/

/** Makes `folder`, which must not exist yet. ALTERED_CHORD_TREE names one that was made before: it is copied. */
export function makeTree(folder) {
  const made = process.env.ALTERED_CHORD_TREE
  if (made) return cpSync(made, folder, { recursive: true, verbatimSymlinks: true })
  const run = (program, ...args) =>
    execFileSync(program, args, { cwd: repositoryRoot, stdio: ['ignore', 'ignore', 'inherit'] })
  run('npm', 'run', '--silent', 'build')
  mkdirSync(folder, { recursive: true })
  for (const name of [
    'bin',
    'deploy',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'statement.md',
    'start.js',
    'client.js',
    'dist',
  ])
    cpSync(join(repositoryRoot, name), join(folder, name), { recursive: true })
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(repositoryRoot, name), join(folder, name))
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--silent']
  run('npm', 'ci', '--omit=dev', ...quiet, '--prefix', folder)
  rmSync(join(folder, 'package-lock.json'))
  prune(join(folder, 'node_modules'))
}

function prune(folder) {
  for (const name of readdirSync(folder)) {
    const place = join(folder, name)
    const isOther = /\/prebuilds$/.test(folder) && name !== `${process.platform}-${process.arch}`
    if (isOther || OF_BARE.test(name) || name === '.bin' || NOT_NEEDED.some(pattern => pattern.test(name)))
      rmSync(place, { recursive: true })
    else if (statSync(place).isDirectory()) prune(place)
  }
}
