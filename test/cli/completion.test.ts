/**
 * The completion of the command line: what the program offers, and that bash, zsh and fish ask it and show it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNode } from '../running-node.ts'
import { repositoryRoot } from '../tidy/inventory.ts'
import { scriptedSession } from './scripted-session.ts'

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

async function store(t: { teardown(end: () => unknown): unknown }) {
  const { url } = await runningNode(t)
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  for (const path of ['photos/one.jpg', 'photos/two words.jpg', 'plain']) await client.put(path, 'x')
  return url
}

t.test('the program offers commands, options and paths', async t => {
  const url = await store(t)
  const words = async (...typed: string[]) => {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
    t.equal(await runCli(['completion', 'words', '--', ...typed], session), 0)
    return session.out().split('\n').slice(0, -1)
  }
  t.same(await words('re'), ['remove', 'recover', 'retire'])
  t.ok((await words('')).includes('put'))
  t.same(await words('put', '--re'), ['--recursive'])
  t.ok((await words('rm', '-')).includes('--dry-run'))
  t.same(await words('get', 'p'), ['photos/', 'plain'])
  t.same(await words('get', '-r', 'photos/'), ['photos/one.jpg', 'photos/two words.jpg'])
  t.same(await words('put', 'p'), [], 'a file of this machine: the shell knows')
  t.same(await words('none', '--x'), [])
  const alone = scriptedSession({ environment: { ALTERED_CHORD_NODE: 'http://127.0.0.1:9' } })
  t.equal(await runCli(['completion', 'words', '--', 'get', 'p'], alone), 0)
  t.equal(alone.out() + alone.err(), '', 'without a node there is nothing to offer')
  const wrong = scriptedSession()
  t.equal(await runCli(['completion', 'tcsh'], wrong), 2)
})

/** A folder with the program in its `bin`, and the script of a shell. */
function prepared(folder: string, shell: string): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  symlinkSync(join(repositoryRoot, 'bin/altered-chord.js'), join(bin, 'altered-chord'))
  const script = join(folder, `${shell}-script`)
  writeFileSync(
    script,
    execFileSync(process.execPath, [join(repositoryRoot, 'bin/altered-chord.js'), 'completion', shell]),
  )
  return script
}

function environment(folder: string, url: string) {
  return {
    PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
    HOME: folder,
    ALTERED_CHORD_NODE: url,
    LC_ALL: 'C.UTF-8',
  }
}

t.test('bash', { skip: !has('bash') && 'no bash' }, async t => {
  const [url, folder] = [await store(t), t.testdir({})]
  const script = prepared(folder, 'bash')
  const complete = async (...typed: string[]) => {
    const line = typed.map(word => `'${word}'`).join(' ')
    const run = `source ${script}; complete -p altered-chord; COMP_WORDS=(altered-chord ${line}); COMP_CWORD=${typed.length}; _altered_chord 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execAsync('bash', ['--norc', '-c', run], environment(folder, url))
  }
  t.match(await complete('get', 'p'), /^complete .*-F _altered_chord altered-chord\nphotos\/\nplain\n$/)
  t.match(await complete('st'), /\nstart\nstatus\nstat\n|\nstart\nstat\nstatus\n/)
})

t.test('zsh', { skip: !has('zsh') && 'no zsh' }, async t => {
  const [url, folder] = [await store(t), t.testdir({})]
  const script = prepared(folder, 'zsh')
  // What compadd is given is what zsh shows; a real line editor needs a terminal.
  const run = `autoload -Uz compinit; compinit -D; source ${script}; print -r -- $_comps[altered-chord]
compadd() { while [[ $1 == -* ]]; do [[ $1 == -S ]] && shift; [[ $1 == -- ]] && { shift; break }; shift; done; print -rl -- "$@" }
words=(altered-chord get p); CURRENT=3; _altered_chord`
  t.equal(
    await execAsync('zsh', ['-f', '-c', run], environment(folder, url)),
    '_altered_chord\nphotos/\nplain\n',
  )
})

t.test('fish', { skip: !has('fish') && 'no fish' }, async t => {
  const [url, folder] = [await store(t), t.testdir({})]
  const script = prepared(folder, 'fish')
  const complete = (line: string) =>
    execAsync(
      'fish',
      ['--no-config', '-c', `source ${script}; complete -C '${line}'`],
      environment(folder, url),
    )
  t.match(await complete('altered-chord get photos/o'), /^photos\/one\.jpg/m)
  t.match(await complete('altered-chord ver'), /^verify/m)
})

/** The node of the test runs in this process, so nothing may block it. */
async function execAsync(program: string, args: string[], env: Record<string, string>): Promise<string> {
  const { execFile } = await import('node:child_process')
  return new Promise((resolve, reject) =>
    execFile(program, args, { env, timeout: 60_000 }, (error, stdout, stderr) =>
      error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout),
    ),
  )
}
