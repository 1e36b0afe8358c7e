/**
 * Owns compiled copies of the program: what a package holds, so that many nodes can start from it without each compiling for itself.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repositoryRoot } from './harness.ts'

const run = promisify(execFile)

/** Compiles the sources of this folder into `folder`, which must not exist yet. Gives the file that starts a node. */
export async function compileProgram(folder: string): Promise<string> {
  await mkdir(folder)
  for (const name of ['bin', 'start.js', 'package.json'])
    await cp(join(repositoryRoot, name), join(folder, name), { recursive: true })
  await symlink(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'))
  const compiler = join(repositoryRoot, 'node_modules/typescript/bin/tsc')
  const outDir = join(folder, 'dist')
  await run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', outDir], {
    cwd: repositoryRoot,
  })
  await cp(join(repositoryRoot, 'src/console'), join(outDir, 'console'), { recursive: true })
  return join(folder, 'start.js')
}
