/**
 * Builds the Debian package and the single-file executable, and uses them where there is nothing else: no Node.js on the path, and a
 * home of their own.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { makeTree } from '../../packaging/tree.js'
import { VERSION } from '../../src/version.ts'
import { freePort, repositoryRoot, waitFor } from '../e2e/harness.ts'

const run = promisify(execFile)
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
const isLinux = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)

t.setTimeout(900_000)

// Both carry the same tree, and most of their time is that of one processor.
t.jobs = 2
const tree = join(t.testdir({}), 'tree')
if (isLinux) makeTree(tree)
/** Small packages are not what is tried here. */
const building = {
  cwd: repositoryRoot,
  env: { ...process.env, ALTERED_CHORD_TREE: tree, DPKG_DEB_COMPRESSOR_LEVEL: '0' },
}

/** Two nodes of this program; a file that goes in at one comes out at the other. */
async function tryProgram(
  test: Pick<typeof t, 'teardown' | 'equal' | 'match'>,
  program: string,
  folder: string,
): Promise<void> {
  const env = { PATH: '/usr/bin:/bin', HOME: folder }
  const ports = [await freePort(), await freePort()] as const
  for (const port of ports) {
    const flags = ['start', '-p', `${port}`, '-b', `${ports[0]}`, '--data', join(folder, `${port}`)]
    const node = spawn(program, flags, { env, cwd: folder, stdio: 'ignore' })
    test.teardown(() => node.kill('SIGKILL'))
    const isReady = () =>
      fetch(`http://127.0.0.1:${port}/ready`).then(
        reply => reply.ok,
        () => false,
      )
    await waitFor(isReady, { what: `${program} is ready`, timeoutMs: 60_000 })
  }
  const command = (...args: string[]) => run(program, args, { env, cwd: folder })
  test.equal((await command('-V')).stdout, `${VERSION}\n`)
  copyFileSync(join(repositoryRoot, 'LICENSE'), join(folder, 'file'))
  await command('put', 'file', 'a/file', '--node', `${ports[0]}`)
  const got = await command('get', 'a/file', '-', '--node', `${ports[1]}`)
  test.equal(got.stdout, readFileSync(join(repositoryRoot, 'LICENSE'), 'utf8'), 'stored on A, read on B')
  const page = await fetch(`http://127.0.0.1:${ports[0]}/console/`)
  test.match(await page.text(), /<html/, 'the console is in it')
}

t.test('a single file is the whole program', { skip: !isLinux && 'for Linux', buffered: true }, async t => {
  const folder = t.testdir({})
  const { stdout } = await run('npm', ['run', '--silent', 'package:executable'], building)
  const program = join(folder, 'altered-chord')
  copyFileSync(stdout.trim().split('\n').at(-1) as string, program)
  await tryProgram(t, program, folder)
  t.ok(existsSync(join(folder, '.cache/altered-chord')), 'it unpacked itself for its user')
  t.equal(statSync(join(folder, '.cache/altered-chord')).mode & 0o777, 0o700)
})

t.test(
  'a Debian package',
  { skip: !(isLinux && has('dpkg-deb')) && 'no dpkg-deb', buffered: true },
  async t => {
    const folder = t.testdir({})
    const { stdout } = await run('npm', ['run', '--silent', 'package:deb'], building)
    const file = stdout.trim().split('\n').at(-1) as string
    const { stdout: listed } = await run('dpkg-deb', ['--contents', file])
    t.match(listed, /-rw------- root\/root .* \.\/etc\/altered-chord\.env\n/, 'secrets are for root')
    t.match(listed, /-rwxr-xr-x root\/root .* \.\/usr\/bin\/altered-chord\n/)
    t.match(listed, /\.\/usr\/lib\/systemd\/system\/altered-chord\.service\n/)
    t.match((await run('dpkg-deb', ['--field', file, 'Version'])).stdout, VERSION)
    // As it lies in the package: to install it is for root, and for a machine that is somebody's.
    const root = join(folder, 'root')
    mkdirSync(root)
    await run('dpkg-deb', ['--extract', file, root])
    const home = join(root, 'usr/lib/altered-chord')
    const launcher = readFileSync(join(root, 'usr/bin/altered-chord'), 'utf8')
    t.match(launcher, 'exec /usr/lib/altered-chord/node /usr/lib/altered-chord/bin/altered-chord.js "$@"')
    const program = join(folder, 'altered-chord')
    writeFileSync(program, launcher.replaceAll('/usr/lib/altered-chord', home), { mode: 0o755 })
    await tryProgram(t, program, folder)
    for (const place of [
      'bash-completion/completions/altered-chord',
      'zsh/vendor-completions/_altered-chord',
    ])
      t.match(readFileSync(join(root, 'usr/share', place), 'utf8'), 'completion words --')
  },
)
