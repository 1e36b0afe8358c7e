import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { cleanEnvironment, repositoryRoot } from './harness.ts'
import { openNode } from './test-node.ts'

const run = promisify(execFile)

/** The contents of the fenced blocks of one language, in order. */
async function blocksOf(language: string): Promise<string[]> {
  const readme = await readFile(join(repositoryRoot, 'README.md'), 'utf8')
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    match => match[1] ?? '',
  )
}

t.test('the program of the README runs', async t => {
  const { node, client } = await openNode(t)
  const [program] = await blocksOf('js')
  // Within the package its own name resolves as it does for whoever installed it.
  const folder = t.testdir({})
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'program.js')
  const more = '\nfor await (const chunk of file.body) process.stdout.write(chunk)\nawait store.close()\n'
  await writeFile(file, `${(program ?? '').replace(':5000', `:${node.port}`)}${more}`)
  const { stdout } = await run(process.execPath, [file], { cwd: folder, env: cleanEnvironment() })
  t.equal(stdout, 'hi')
  t.match((await client.send('GET', '/get/greetings/hi.txt')).headers, { 'content-type': 'text/plain' })
})
