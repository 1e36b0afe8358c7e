import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { buildProgram, runCli } from '../../src/cli/main.ts'
import { VERSION } from '../../src/version.ts'
import { repositoryRoot } from '../tidy/inventory.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('help and version go to standard output with exit code 0', async t => {
  for (const [argv, shown] of [
    [['--help'], /Commands:\n {2}start /],
    [['put', '--help'], /Examples:\n {2}altered-chord put/],
    [['help', 'get'], /Usage: altered-chord get/],
    [['--version'], new RegExp(`^${VERSION}\n$`)],
  ] as const) {
    const session = scriptedSession()
    t.equal(await runCli(argv, session), 0, argv.join(' '))
    t.match(session.out(), shown)
    t.equal(session.err(), '')
  }
})

t.test('wrong calls go to standard error with exit code 2', async t => {
  for (const [argv, said] of [
    [[], /Commands:/],
    [['steal'], /unknown command 'steal'/],
    [['put'], /missing required argument/],
    [['put', 'a'], /Say what to store and where: altered-chord put a PATH/],
    [['put', '--nix', 'a', 'b'], /unknown option '--nix'/],
    [['put', '-', 'a/'], /Standard input has no name/],
    [['put', '--parallel', '0', 'a', 'b'], /a number from 1 to 64/],
    [['put', '--if-match', '"1"', 'a', 'b', 'c'], /--if-match is for one file/],
    [['get', '-r', 'a'], /Say which folder/],
    [['copy', 'a'], /Say what to copy and where/],
    [['remove', '-r', ''], /A PATH is empty/],
    [['list', '--node', 'http://a/b'], /--node is "http:\/\/a\/b"/],
    [['start', '--port', 'x'], /--port is "x"/],
    [['start', '--replicas', '0'], /--replicas is "0", and can be 1 to 15/],
    [['lookup'], /missing required argument/],
  ] as const) {
    const session = scriptedSession()
    t.equal(await runCli(argv, session), 2, argv.join(' '))
    t.match(session.err(), said)
    t.equal(session.out(), '')
  }
})

t.test('a node that does not answer is a refusal, exit code 1', async t => {
  const session = scriptedSession()
  const code = await runCli(['exists', 'a', '--node', '127.0.0.1:9'], session)
  t.equal(code, 1)
  t.match(session.err(), /^No node answers at http:\/\/127.0.0.1:9 .*\(UNAVAILABLE\)\n$/)
})

t.test('an interrupted command ends with 130', async t => {
  const session = scriptedSession()
  session.interrupt(new Error('interrupted by SIGINT'))
  t.equal(await runCli(['list', '--node', '9'], session), 130)
})

t.test('commands are named once', async t => {
  const names = (await buildProgram(scriptedSession())).commands.map(command => command.name())
  t.same(names, [
    'start',
    'put',
    'get',
    'cat',
    'list',
    'exists',
    'copy',
    'move',
    'remove',
    'status',
    'du',
    'stat',
    'find',
    'trash',
    'versions',
    'share',
    'insert',
    'query',
    'delete',
    'gossip',
    'verify',
    'recover',
    'lookup',
    'overlay',
    'join',
    'set',
    'retire',
    'depart',
    'shell',
    'completion',
    'experiment',
  ])
})

/** Runs a file of this repository with this very Node, far from the repository. */
function run(file: string, args: string[], cwd: string) {
  return spawnSync(process.execPath, [file, ...args], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: cwd, TMPDIR: cwd },
  })
}

t.test('both endpoints into the program work from any folder, and as a link', async t => {
  // A tsconfig.json of somebody else must not change how our sources are read.
  const folder = t.testdir({
    'tsconfig.json': '{"compilerOptions":{"target":"es5","jsx":"nonsense"}}',
    bin: {},
  })
  const program = join(repositoryRoot, 'bin/altered-chord.js')
  t.equal(run(program, ['--version'], folder).stdout, `${VERSION}\n`)
  const refused = run(join(repositoryRoot, 'start.js'), ['--port', 'x'], folder)
  t.match(refused, { status: 2, stderr: /^error: --port is "x"/ })
  const link = join(folder, 'node_modules/.bin/altered-chord')
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(program, link)
  t.equal(execFileSync(link, ['--version'], { cwd: folder, encoding: 'utf8' }), `${VERSION}\n`)
})
