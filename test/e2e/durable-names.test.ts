/**
 * What a first promise rests on outlasts a power cut, also on a file system that keeps no name until its folder is flushed: the calls
 * of a first start and of the first files, as strace saw them, are followed by a model of such a disk.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { openClient } from './client.ts'
import { cleanEnvironment, freePort, repositoryRoot, waitFor } from './harness.ts'

t.setTimeout(240_000)

/** Nothing is promised of what is in these. */
const PASSING = /^\/(lock|index\.mdb-lock|staging\/.*|erasing|altered-chord\.json\.new)$/

function whyNoStrace(): string | false {
  try {
    execFileSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' })
    return false
  } catch {
    return 'needs strace, and the right to trace a process'
  }
}

/** Names and bytes that a power cut may take. */
class StrictDisk {
  readonly #root: string
  readonly #names = new Set<string>()
  /** Files with bytes that are not flushed. */
  readonly #bytes = new Set<string>()
  /** What was there when each flush under way began. */
  readonly #flushing = new Map<string, readonly string[]>()

  constructor(root: string) {
    this.#root = root
  }

  made(path: string): void {
    if (path === this.#root || path.startsWith(`${this.#root}/`)) this.#names.add(path)
  }

  written(path: string): void {
    if (path.startsWith(this.#root)) this.#bytes.add(path)
  }

  renamed(from: string, to: string): void {
    this.#names.delete(from)
    this.made(to)
    if (this.#bytes.delete(from)) this.#bytes.add(to)
  }

  removed(path: string): void {
    this.#names.delete(path)
    this.#bytes.delete(path)
  }

  flushBegins(who: string, path: string): void {
    this.#flushing.set(who, [path, ...[...this.#names].filter(name => dirname(name) === path)])
  }

  flushed(who: string): void {
    const [path, ...names] = this.#flushing.get(who) ?? []
    this.#flushing.delete(who)
    if (path !== undefined) this.#bytes.delete(path)
    for (const name of names) this.#names.delete(name)
  }

  /** What a cut at this moment may take of what promises rest on; of the index LMDB flushes what it has to itself. */
  atRisk(data: string): string[] {
    const isOurs = (path: string) => !path.startsWith(`${data}/`) || !PASSING.test(path.slice(data.length))
    const bodies = [...this.#bytes].filter(path => path.startsWith(`${data}/blobs/`))
    return [...[...this.#names].filter(isOurs), ...bodies.map(path => `bytes of ${path}`)].sort()
  }
}

interface Call {
  readonly who: string
  readonly name: string
  readonly text: string
  /** A call that takes a while has two lines. */
  readonly begins: boolean
  readonly ends: boolean
}

/** The calls in the order in which they began and ended. */
function* callsOf(trace: string): Generator<Call> {
  const unfinished = new Map<string, string>()
  for (const line of trace.split('\n')) {
    const match = /^(\d+) +(.*)$/.exec(line)
    if (match === null) continue
    const [who, rest] = [match[1] as string, match[2] as string]
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest)
    if (resumed !== null) {
      const text = `${unfinished.get(who) ?? ''}${resumed[2]}`
      unfinished.delete(who)
      yield { who, name: resumed[1] as string, text, begins: false, ends: true }
      continue
    }
    const name = /^(\w+)\(/.exec(rest)?.[1]
    if (name === undefined) continue
    const isCut = rest.endsWith('<unfinished ...>')
    const text = rest.replace(/ ?<unfinished \.\.\.>$/, '')
    if (isCut) unfinished.set(who, text)
    yield { who, name, text, begins: true, ends: !isCut }
  }
}

/** What is at risk at each 201 that leaves, with what was seen of the disk until then. */
function risksOf(trace: string, root: string, data: string): { answers: string[][]; flushes: number } {
  const disk = new StrictDisk(root)
  const answers: string[][] = []
  let flushes = 0
  for (const { who, name, text, begins, ends } of callsOf(trace)) {
    const paths = [...text.matchAll(/"([^"]*)"/g)].map(found => found[1] as string)
    const file = /^\w+\(\d+<([^>]*)>/.exec(text)?.[1]
    const isDone = ends && !/ = -1 /.test(text)
    if (/^f(data)?sync$/.test(name) && file !== undefined) {
      if (begins) disk.flushBegins(who, file)
      if (isDone) {
        disk.flushed(who)
        flushes++
      }
    } else if (/^(write|writev|sendto|sendmsg|pwrite64|pwritev)$/.test(name) && file !== undefined) {
      if (begins && text.includes('HTTP/1.1 201')) answers.push(disk.atRisk(data))
      else if (ends && file.startsWith('/')) disk.written(file)
    } else if (isDone && /^open(at)?$/.test(name) && text.includes('O_CREAT')) disk.made(paths[0] as string)
    else if (isDone && /^mkdir(at)?$/.test(name)) disk.made(paths[0] as string)
    else if (isDone && /^rename/.test(name)) disk.renamed(paths[0] as string, paths[1] as string)
    else if (isDone && /^(unlink|rmdir)/.test(name)) disk.removed(paths[0] as string)
  }
  return { answers, flushes }
}

const CALLS =
  'open,openat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg'

t.test('the first files of a new node', { skip: whyNoStrace() }, async t => {
  const root = await mkdtemp(join(tmpdir(), 'altered-chord-names-'))
  t.teardown(() => rm(root, { recursive: true, force: true }))
  const [data, traceFile] = [join(root, 'made/by/the/node'), join(root, 'trace')]
  const port = await freePort()
  const node = [process.execPath, 'start.js', '-p', `${port}`, '-b', `${port}`, '--data', data]
  const tracing = ['-f', '-y', '-s', '120', '-o', traceFile, '-e', `trace=${CALLS}`]
  const strace = spawn('strace', [...tracing, ...node], {
    cwd: repositoryRoot,
    env: cleanEnvironment(),
    stdio: 'ignore',
  })
  const ended = new Promise(resolve => strace.once('close', resolve))
  const client = openClient(`http://127.0.0.1:${port}`)
  t.teardown(async () => {
    await client.close()
    strace.kill('SIGKILL')
  })
  await waitFor(
    () =>
      client.send('GET', '/ready').then(
        ({ status }) => status === 200,
        () => false,
      ),
    { what: 'the node is ready', timeoutMs: 120_000, pauseMs: 100 },
  )
  for (const [path, size] of [
    ['small', 100],
    ['large', 300_000],
    ['larger', 3_000_000],
  ] as const)
    t.equal((await client.put(path, Buffer.alloc(size, path))).status, 201, path)
  const pid = Number(/^\d+/.exec(await readFile(traceFile, 'utf8'))?.[0])
  process.kill(pid, 'SIGTERM')
  await ended
  const { answers, flushes } = risksOf(await readFile(traceFile, 'utf8'), root, data)
  t.same(answers, [[], [], []], 'nothing that was promised is at risk at any of the three answers')
  t.ok(flushes > 10, `${flushes} flushes were seen`)
})

t.test('the model of the disk finds what is missing', async t => {
  const lines = (...calls: string[]) => calls.map(call => `7 ${call}`).join('\n')
  const index = [
    'mkdir("/r/d", 0700) = 0',
    'openat(AT_FDCWD, "/r/d/index.mdb", O_RDWR|O_CREAT, 0600) = 5</r/d/index.mdb>',
  ]
  const sync = (path: string) => `fsync(6<${path}>) = 0`
  const answer = 'write(9<socket:[1]>, "HTTP/1.1 201 Created", 20) = 20'
  const at = (...calls: string[]) => risksOf(lines(...calls), '/r', '/r/d').answers
  t.same(at(...index, sync('/r'), sync('/r/d'), answer), [[]])
  t.same(at(...index, sync('/r'), answer), [['/r/d/index.mdb']], 'the index has no name')
  t.same(at(...index, sync('/r/d'), answer), [['/r/d']], 'nor has its folder')
  const body = ['write(8</r/d/staging/x>, "a", 1) = 1', 'rename("/r/d/staging/x", "/r/d/blobs/x") = 0']
  t.same(at(...body, answer), [['/r/d/blobs/x', 'bytes of /r/d/blobs/x']], 'a body and its name')
  t.same(
    at(
      `${sync('/r/d').slice(0, -4)} <unfinished ...>`,
      index[1] as string,
      '<... fsync resumed>) = 0',
      answer,
    ),
    [['/r/d/index.mdb']],
    'a name that came while its folder was flushed is not flushed',
  )
})
