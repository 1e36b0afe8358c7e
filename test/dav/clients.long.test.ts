/**
 * Lets programs that people mount stores with have their way with a node: litmus, which checks a server against RFC 4918,
 * rclone, davfs2, cadaver and gio.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { runningNetwork, runningNode } from '../running-node.ts'

const run = promisify(execFile)

const TOKEN = 'w'.repeat(24)

/** For all that one program does, ms: the machine may be busy. */
const PROGRAM_TIMEOUT_MS = 240_000

function missing(program: string): string | false {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`])
    return false
  } catch {
    return `no ${program}`
  }
}

/** A tree of `count` files, a large one among them. */
function makeTree(folder: string, count: number): void {
  for (let i = 0; i < count; i++) {
    const inner = join(folder, `folder ${i % 5}`, i % 3 ? 'deep & ü' : '.')
    mkdirSync(inner, { recursive: true })
    writeFileSync(join(inner, `file ${i}.txt`), `file ${i}\n`)
  }
  writeFileSync(join(folder, 'large.bin'), Buffer.alloc(3_000_000, 7))
}

const rcloneEnvironment = (url: string) => ({
  ...process.env,
  RCLONE_CONFIG_STORE_TYPE: 'webdav',
  RCLONE_CONFIG_STORE_URL: `${url}/dav`,
  RCLONE_CONFIG_STORE_VENDOR: 'other',
  RCLONE_CONFIG_STORE_USER: 'anyone',
  RCLONE_CONFIG_STORE_PASS: execFileSync('rclone', ['obscure', TOKEN], { encoding: 'utf8' }).trim(),
  RCLONE_CONFIG: '/dev/null',
})

t.test('litmus finds nothing', { skip: missing('litmus') }, async t => {
  const { url } = await runningNode(t, { token: TOKEN })
  const options = { cwd: t.testdir({}), timeout: PROGRAM_TIMEOUT_MS }
  const { stdout } = await run('litmus', ['-k', `${url}/dav/`, 'anyone', TOKEN], options).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  )
  const summaries = [...stdout.matchAll(/summary for `(\w+)': of (\d+) tests run: (\d+) passed/g)].map(
    ([, suite, of, passed]) => ({ suite, failed: Number(of) - Number(passed), passed: Number(passed) }),
  )
  t.same(
    summaries.map(({ suite }) => suite),
    ['basic', 'copymove', 'props', 'locks', 'http'],
  )
  for (const { suite, failed, passed } of summaries) {
    t.equal(failed, 0, `${suite}: ${stdout}`)
    t.ok(passed >= 4, `${suite}: ${passed} passed`)
  }
})

t.test('rclone copies a tree in and out, through three nodes', { skip: missing('rclone') }, async t => {
  const [first, second] = await runningNetwork(t, 3)
  const folder = t.testdir({ tree: {} })
  makeTree(join(folder, 'tree'), 60)
  const rclone = (url: string, ...args: string[]) =>
    run('rclone', args, { cwd: folder, env: rcloneEnvironment(url), timeout: PROGRAM_TIMEOUT_MS })
  const [one, two] = [first?.url ?? '', second?.url ?? '']
  await rclone(one, 'copy', 'tree', 'store:in/here')
  t.match((await rclone(two, 'check', 'tree', 'store:in/here')).stderr, '0 differences found')
  await rclone(two, 'moveto', 'store:in/here', 'store:moved')
  await rclone(one, 'copy', 'store:moved', 'back')
  await run('diff', ['-r', join(folder, 'tree'), join(folder, 'back')])
  await rclone(one, 'purge', 'store:moved')
  t.equal((await rclone(one, 'lsf', 'store:')).stdout.includes('moved'), false)
})

const noMount = missing('rclone') || missing('fusermount3') || (!existsSync('/dev/fuse') && 'no FUSE')

t.test('a mounted store is a folder', { skip: noMount }, async t => {
  const { url } = await runningNode(t, { token: TOKEN })
  const folder = t.testdir({ tree: {}, mounted: {} })
  makeTree(join(folder, 'tree'), 200)
  const mounted = join(folder, 'mounted')
  const args = [
    'mount',
    'store:',
    mounted,
    '--vfs-cache-mode',
    'writes',
    '--cache-dir',
    join(folder, 'cache'),
  ]
  const mount = spawn('rclone', args, { env: rcloneEnvironment(url), stdio: 'ignore' })
  const ended = new Promise(resolve => mount.once('exit', resolve))
  t.teardown(async () => {
    await run('fusermount3', ['-uz', mounted]).catch(() => undefined)
    mount.kill()
    await ended
  })
  const isMounted = () => readFileSync('/proc/mounts', 'utf8').includes(mounted)
  while (!isMounted()) {
    if (mount.exitCode !== null) return t.plan(0, 'a mount is not allowed here')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const shell = (command: string) => run('sh', ['-ec', command], { cwd: folder, timeout: PROGRAM_TIMEOUT_MS })
  await shell('cp -r tree mounted/copied')
  await shell('cp -r mounted/copied back && diff -r tree back')
  await shell('echo more >> "mounted/copied/folder 0/file 0.txt"')
  await shell('mv mounted/copied/large.bin mounted/large.bin && cmp mounted/large.bin tree/large.bin')
  const target = `${url}/get/copied/folder%200/file%200.txt`
  const headers = { authorization: `Bearer ${TOKEN}` }
  for (;;) {
    const text = await (await fetch(target, { headers })).text()
    // What was written is sent a few seconds after the file was closed.
    if (text === 'file 0\nmore\n') break
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  await shell('rm -r mounted/copied && ls mounted')
  t.equal(await (await fetch(`${url}/exists/copied/large.bin`, { headers })).json(), false)
  return undefined
})

const noDavfs =
  missing('mount.davfs') ||
  (!existsSync('/dev/fuse') && 'no FUSE') ||
  (process.getuid?.() !== 0 && 'not root')

t.test('davfs2 mounts it: a tree in and out, a file edited in place', { skip: noDavfs }, async t => {
  const { url } = await runningNode(t, { token: TOKEN })
  const folder = t.testdir({ tree: {}, mounted: {}, cache: {} })
  makeTree(join(folder, 'tree'), 40)
  const mounted = join(folder, 'mounted')
  const shell = (command: string) => run('sh', ['-ec', command], { cwd: folder, timeout: PROGRAM_TIMEOUT_MS })
  // The program runs as davfs2 once it has mounted, so its cache has to be open to that group.
  await shell('chgrp davfs2 cache && chmod 770 cache')
  for (let up = folder; up !== '/tmp' && up !== '/'; up = dirname(up)) {
    if ((statSync(up).mode & 0o001) === 0) return t.plan(0, `davfs2 may not pass through ${up}`)
  }
  writeFileSync(join(folder, 'secrets'), `${url}/dav/ anyone ${TOKEN}\n`, { mode: 0o600 })
  // From Linux 6.16 on it lists no folder with its smaller default for buf_size.
  writeFileSync(
    join(folder, 'davfs2.conf'),
    `ask_auth 0\nbuf_size 64\ncache_dir ${join(folder, 'cache')}\nsecrets ${join(folder, 'secrets')}\n`,
    { mode: 0o600 },
  )
  t.teardown(() => run('umount', ['-i', '-l', mounted]).catch(() => undefined))
  const mount = `mount.davfs -o conf=${join(folder, 'davfs2.conf')} ${url}/dav/ mounted < /dev/null`
  await shell(mount)
  await shell(
    'cp -r tree mounted/copied && echo "line one" > mounted/edited && sed -i s/one/two/ mounted/edited',
  )
  await shell('printf changed | dd of=mounted/copied/large.bin bs=1 seek=1000000 conv=notrunc')
  await shell('printf changed | dd of=tree/large.bin bs=1 seek=1000000 conv=notrunc')
  // Everything was sent when umount ends.
  await shell('umount mounted && rm -r cache/*')
  const headers = { authorization: `Bearer ${TOKEN}` }
  t.equal(await (await fetch(`${url}/get/edited`, { headers })).text(), 'line two\n')
  await shell(mount)
  await shell('cp -r mounted/copied back && umount mounted && diff -r tree back')
  return undefined
})

t.test('cadaver makes, locks, copies and moves', { skip: missing('cadaver') }, async t => {
  const { url } = await runningNode(t, { token: TOKEN })
  const folder = t.testdir({
    '.netrc': `machine 127.0.0.1\nlogin anyone\npassword ${TOKEN}\n`,
    'a.txt': 'by cadaver\n',
    script: `open ${url}/dav/\nmkcol made\ncd made\nput a.txt\nlock a.txt\ncopy a.txt b.txt\nmove b.txt c.txt\npropset a.txt colour red\npropget a.txt colour\nunlock a.txt\nget c.txt out.txt\ndelete a.txt\nquit\n`,
  })
  const options = { cwd: folder, env: { ...process.env, HOME: folder }, timeout: PROGRAM_TIMEOUT_MS }
  const { stdout } = await run('sh', ['-c', 'cadaver < script 2>&1'], options)
  t.notMatch(stdout, /failed|not supported|error/i)
  t.match(stdout, /Value of colour is: red/)
  t.equal(readFileSync(join(folder, 'out.txt'), 'utf8'), 'by cadaver\n')
})

const noDesktop =
  missing('gio') ||
  missing('dbus-run-session') ||
  (!existsSync('/usr/share/gvfs/mounts/dav.mount') && 'no gvfs-backends')

t.test('a desktop opens it', { skip: noDesktop }, async t => {
  const { url } = await runningNode(t, { token: TOKEN })
  const place = `${url.replace('http://', 'dav://anyone@')}/dav`
  const folder = t.testdir({ 'a.txt': 'by gio\n', tree: {}, back: {} })
  for (let i = 0; i < 50; i++) writeFileSync(join(folder, 'tree', `file ${i} ü#%25.txt`), 'x'.repeat(i * 997))
  const script = `printf '%s\\n' '${TOKEN}' | gio mount ${place}/
gio mkdir ${place}/made
gio copy a.txt ${place}/made/b.txt
gio move ${place}/made/b.txt ${place}/made/c.txt
gio list ${place}/made
gio mkdir ${place}/tree
gio copy tree/* ${place}/tree/
gio list -u ${place}/tree | xargs sh -c 'gio copy "$@" back/' sh
diff -r tree back
gio cat ${place}/made/c.txt
gio mount -u ${place}/`
  const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder }
  const options = { cwd: folder, env, timeout: PROGRAM_TIMEOUT_MS }
  const { stdout } = await run('dbus-run-session', ['--', 'sh', '-ec', script], options)
  t.match(stdout, /^c\.txt\nby gio\n$/m)
})
