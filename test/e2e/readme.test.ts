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

const noCurl = await run('curl', ['--version']).then(
  () => false as const,
  () => 'curl is not installed',
)

t.test('the sessions of the README print what it says', { skip: noCurl }, async t => {
  const { node } = await openNode(t)
  const work = t.testdir({ bin: {}, work: {} })
  const program = `#!/bin/sh\nexec "${process.execPath}" "${repositoryRoot}bin/altered-chord.js" "$@"\n`
  await writeFile(join(work, 'bin', 'altered-chord'), program, { mode: 0o755 })
  const env = cleanEnvironment({
    PATH: `${join(work, 'bin')}:${process.env.PATH}`,
    ALTERED_CHORD_NODE: node.url,
  })
  let commands = 0
  for (const block of await blocksOf('console')) {
    for (const [, command, printed] of block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const line = (command ?? '').replaceAll(':5000', `:${node.port}`)
      // What curl and the command line say of their progress goes to standard error, as on a terminal.
      const { stdout } = await run('bash', ['-c', `{ ${line.replaceAll('curl ', 'curl -s ')}; } 2>&1`], {
        cwd: join(work, 'work'),
        env,
      }).catch(error => error as { stdout: string })
      t.equal(comparable(stdout, node.port), comparable(printed ?? '', 5000), command ?? '')
      commands++
    }
  }
  t.ok(commands > 5, `${commands} commands`)
})

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

/** Without what differs from run to run: times, the counter of versions, and white space at the end. */
function comparable(printed: string, port: number): string {
  return printed
    .replaceAll(`:${port}`, ':PORT')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/(\\?"1\.)\d+(-[0-9a-f]{8})/g, '$1N$2')
    .replace(/"seq":\d+/g, '"seq":N')
    .trim()
}
