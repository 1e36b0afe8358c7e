/**
 * The process that crash.test.ts kills: it writes for ever and says on stdout what it begins (`put PATH SIZE
 * SEED`, `remove PATH`) and what was acknowledged (`done PATH`). Each writer has its own paths.
 */
import { writeSync } from 'node:fs'
import { realEnv } from '../../src/env.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { BLOCK_BYTES } from '../../src/storage/record.ts'
import { bodyOf, put, remove } from './conformance.ts'

const [directory = '', round = '0'] = process.argv.slice(2)
const storage = await LmdbStorage.open({ env: realEnv() }, { directory })
const sizes = [0, 100, 4096, 70_000, BLOCK_BYTES + 1, 3 * BLOCK_BYTES]

// A pipe is written synchronously here, so that whatever was said before the kill can be read after it.
const say = (line: string) => writeSync(1, `${line}\n`)

async function write(writer: number): Promise<never> {
  for (let i = 0; ; i += 1) {
    const path = parsePathName(`writer ${writer}/${i % 9}`)
    const present = (await storage.find(path)) !== undefined
    if (present && i % 4 === 3) {
      say(`remove\t${path}`)
      await remove(storage, path)
    } else {
      const size = sizes[(i + writer) % sizes.length] ?? 0
      const seed = Number(round) * 1e6 + writer * 1e4 + i
      say(`put\t${path}\t${size}\t${seed}`)
      await put(storage, path, bodyOf(size, seed))
    }
    say(`done\t${path}`)
  }
}

await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)))
