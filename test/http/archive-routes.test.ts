/**
 * The archives of whole folders, with the programs that people have: GNU tar and unzip over the bytes of a real server.
 */
import { execFile, execFileSync } from 'node:child_process'
import { readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { codeOf, runServer } from './running-server.ts'

const run = promisify(execFile)
const has = (program: string) => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`])
    return true
  } catch {
    return false
  }
}

function madeTree(test: Pick<typeof t, 'testdir'>): string {
  const folder = test.testdir({
    tree: { 'a.txt': 'one\n', sub: { 'ü.bin': 'x'.repeat(100_000), deep: { ['n'.repeat(120)]: '' } } },
  })
  const tree = join(folder, 'tree')
  symlinkSync('../a.txt', join(tree, 'sub/link'))
  writeFileSync(join(tree, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
  utimesSync(join(tree, 'a.txt'), 981_173_106, 981_173_106)
  return folder
}

/** Lines that tell everything of a tree but its top folder. */
async function picture(folder: string): Promise<string> {
  const format = '%P %y %m %s %l %T@\\n'
  const { stdout } = await run('find', [folder, '-mindepth', '1', '-not', '-type', 'd', '-printf', format])
  return stdout.split('\n').sort().join('\n')
}

t.test(
  'a folder goes in with GNU tar and curl, and comes out the same',
  { skip: (!has('curl') || !has('tar')) && 'no curl or tar' },
  async t => {
    const { origin } = await runServer(t, { listen: true })
    const folder = madeTree(t)
    const shell = (script: string) => run('sh', ['-c', script], { cwd: folder })
    for (const format of ['gnu', 'posix']) {
      const sent = await shell(
        `tar -c --format=${format} -C tree . | curl -sS -f -T - ${origin}/archive/${format}`,
      )
      t.match(JSON.parse(sent.stdout), {
        prefix: `${format}/`,
        stored: 5,
        unchanged: 0,
        folders: 3,
        skipped: [],
      })
    }
    await shell(`mkdir back && curl -sS -f ${origin}/archive/posix | tar -x -C back`)
    t.equal(await picture(join(folder, 'back')), await picture(join(folder, 'tree')))
    await shell(`curl -sS -f ${origin}/archive/posix/ | curl -sS -f -T - ${origin}/archive/again`)
    const list = await fetch(`${origin}/list/again/`).then(reply => reply.json())
    t.equal((list as { files: unknown[] }).files.length, 5, 'what one node gives out another takes')
  },
)

t.test('unzip reads what is given out as zip', { skip: !has('unzip') && 'no unzip' }, async t => {
  const { server } = await runServer(t)
  const folder = madeTree(t)
  const { stdout } = await run('tar', ['-c', '-C', join(folder, 'tree'), '.'], { encoding: 'buffer' })
  await server.inject({ method: 'PUT', url: '/archive/z?folders=true', payload: stdout })
  const zip = await server.inject({ url: '/archive/z', headers: { accept: 'application/zip' } })
  t.match(zip.headers, {
    'content-type': 'application/zip',
    'content-disposition': 'attachment; filename=z.zip',
  })
  writeFileSync(join(folder, 'z.zip'), zip.rawPayload)
  await run('unzip', ['-tq', 'z.zip'], { cwd: folder })
  await run('unzip', ['-q', 'z.zip', '-d', 'unzipped'], { cwd: folder })
  const lines = async (name: string) => (await picture(join(folder, name))).replace(/ [\d.]+$/gm, '')
  t.equal(await lines('unzipped'), await lines('tree'), 'but for the time, which has a grain of 2 s')
  t.same(readdirSync(join(folder, 'unzipped/sub/deep')).length, 1)
  t.ok(statSync(join(folder, 'unzipped/sub/deep')).isDirectory())
})

t.test('what can be asked for, and what is answered', async t => {
  const { server } = await runServer(t)
  const put = (path: string) => server.inject({ method: 'PUT', url: `/put/${path}`, payload: 'x' })
  await put('d/a')
  await put('d/b/c')
  const head = await server.inject({ method: 'HEAD', url: '/archive/d' })
  t.match(head, { statusCode: 200, body: '' })
  t.match(head.headers, {
    'content-type': 'application/x-tar',
    'content-disposition': 'attachment; filename=d.tar',
    'accept-ranges': 'none',
    vary: 'accept',
  })
  const ranged = await server.inject({ url: '/archive/d', headers: { range: 'bytes=5-' } })
  t.equal(ranged.statusCode, 200, 'a range is passed over')
  t.match((await server.inject('/archive')).headers, {
    'content-disposition': 'attachment; filename=files.tar',
  })
  t.equal(codeOf(await server.inject('/archive/d/a')), 'FILE_NOT_FOUND', 'a file is no folder')
  t.equal(codeOf(await server.inject('/archive/d?format=rar')), 'INVALID_REQUEST')
  t.equal(codeOf(await server.inject('/archive/d?fromat=zip')), 'INVALID_REQUEST')
  t.equal(codeOf(await server.inject('/archive/..%2Fd')), 'INVALID_PATH')
  const upload = (headers: Record<string, string>, url = '/archive/e') =>
    server.inject({ method: 'PUT', url, payload: Buffer.alloc(10_240), headers })
  t.match(await upload({}), { statusCode: 200 })
  t.equal(codeOf(await upload({ 'content-encoding': 'gzip' })), 'TYPE_NOT_ALLOWED')
  t.equal(codeOf(await upload({ 'if-match': '"1"' })), 'INVALID_REQUEST')
  t.equal(codeOf(await upload({}, '/archive/e?overwrite=yes')), 'INVALID_REQUEST')
  t.equal(
    codeOf(await server.inject({ method: 'PUT', url: '/archive/e' })),
    'INVALID_REQUEST',
    'nothing is no archive',
  )
})

t.test('an archive that breaks off is no complete answer, and one that nobody reads is given up', async t => {
  const { server, origin, files, port } = await runServer(t, {
    listen: true,
    limits: { bodyIdleTimeoutMs: 500 },
  })
  for (const name of ['a', 'b'])
    await server.inject({ method: 'PUT', url: `/put/d/${name}`, payload: Buffer.alloc(3_000_000, 1) })
  const read = files.read.bind(files)
  files.read = async (found, range) => {
    if (found.record.path.endsWith('b')) throw new Error('the disk has gone')
    return read(found, range)
  }
  for (const format of ['tar', 'zip'])
    await t.rejects(
      fetch(`${origin}/archive/d?format=${format}`).then(reply => reply.arrayBuffer()),
      format,
    )
  files.read = read
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /archive/d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  socket.pause()
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  const connections = () =>
    new Promise<number>((resolve, reject) =>
      server.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  while ((await connections()) === 0) await new Promise(resolve => setImmediate(resolve))
  while ((await connections()) > 0) await new Promise(resolve => setTimeout(resolve, 20))
  t.pass('the connection is closed')
})
