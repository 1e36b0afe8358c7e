// `npm run package:executable`: one file that is the program and its Node.js, as Node.js makes them ("single executable applications").
//
// Native addons can only be loaded from files, so the file carries the tree of packaging/tree.js and unpacks it at its first start,
// into a folder of the user that is named by the hash of what is in it.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { serialize } from 'node:v8'
import { brotliCompressSync, constants } from 'node:zlib'
import { inject } from 'postject'
import { makeTree, repositoryRoot, VERSION } from './tree.js'

/** Where postject puts what Node.js looks for; both names are Node.js's own. */
const RESOURCE = 'NODE_SEA_BLOB'
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

const output = join(repositoryRoot, 'build', `altered-chord-${VERSION}-${process.platform}-${process.arch}`)
const work = mkdtempSync(join(tmpdir(), 'altered-chord-executable-'))
try {
  const tree = join(work, 'tree')
  makeTree(tree)
  const files = serialize(
    Object.fromEntries(filesBelow(tree).map(file => [relative(tree, file), readFileSync(file)])),
  )
  const parts = { [constants.BROTLI_PARAM_QUALITY]: 6, [constants.BROTLI_PARAM_SIZE_HINT]: files.length }
  writeFileSync(join(work, 'files'), brotliCompressSync(files, { params: parts }))
  const hash = createHash('sha256').update(files).digest('hex').slice(0, 16)
  writeFileSync(
    join(work, 'main.cjs'),
    readFileSync(new URL('unpack.cjs', import.meta.url), 'utf8').replaceAll(
      'TREE_NAME',
      `${VERSION}-${hash}`,
    ),
  )
  const config = {
    main: 'main.cjs',
    output: 'blob',
    disableExperimentalSEAWarning: true,
    assets: { files: 'files' },
  }
  writeFileSync(join(work, 'config.json'), JSON.stringify(config))
  execFileSync(process.execPath, ['--experimental-sea-config', 'config.json'], { cwd: work, stdio: 'ignore' })
  mkdirSync(join(repositoryRoot, 'build'), { recursive: true })
  copyFileSync(process.execPath, output)
  chmodSync(output, 0o755)
  await inject(output, RESOURCE, readFileSync(join(work, 'blob')), { sentinelFuse: FUSE })
  console.log(output)
} finally {
  rmSync(work, { recursive: true })
}

function filesBelow(folder) {
  return readdirSync(folder).flatMap(name => {
    const place = join(folder, name)
    return statSync(place).isDirectory() ? filesBelow(place) : [place]
  })
}
