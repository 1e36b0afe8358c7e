// What the single-file executable runs first (packaging/executable.js): it unpacks the program where that has not been done, and
// starts it. TREE_NAME is the version and the hash of what is unpacked.
const { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { homedir, tmpdir } = require('node:os')
const { dirname, join } = require('node:path')
const { getRawAsset } = require('node:sea')
const { deserialize } = require('node:v8')
const { brotliDecompressSync } = require('node:zlib')

function unpackedAt(folder) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // What lies in a folder that others may write to is not run.
  const { uid, mode } = statSync(folder)
  if (uid !== process.getuid() || (mode & 0o022) !== 0) throw new Error(`${folder} is not this user's alone`)
  const place = join(folder, 'TREE_NAME')
  if (existsSync(place)) return place
  const temporary = mkdtempSync(join(folder, '.unpacking-'))
  const files = deserialize(brotliDecompressSync(Buffer.from(getRawAsset('files'))))
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(temporary, name)), { recursive: true })
    writeFileSync(join(temporary, name), bytes)
  }
  // Require reads CommonJS from a file; this one gives the program its own import().
  writeFileSync(join(temporary, 'start.cjs'), "import('./bin/altered-chord.js')\n")
  try {
    renameSync(temporary, place)
  } catch (error) {
    // Another start was quicker.
    rmSync(temporary, { recursive: true })
    if (!existsSync(place)) throw error
  }
  return place
}

function folderOfUser() {
  const cache = process.env.CACHE_DIRECTORY || process.env.XDG_CACHE_HOME
  if (cache) return join(cache, 'altered-chord')
  return join(homedir(), '.cache', 'altered-chord')
}

let place
try {
  place = unpackedAt(folderOfUser())
} catch (error) {
  // A service without a home: a folder for this one start, which goes with it.
  const folder = mkdtempSync(join(tmpdir(), 'altered-chord-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  if (process.env.ALTERED_CHORD_LOG_LEVEL === 'debug')
    console.error(`unpacking to ${folder}: ${error.message}`)
  place = unpackedAt(folder)
}
createRequire(join(place, 'start.cjs'))('./start.cjs')
