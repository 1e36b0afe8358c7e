/**
 * Nodes with certificates of an authority of their own: who knows the authority joins and is served, who does not is told so.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort, runNode, runProgram, startNode, waitFor } from './harness.ts'

t.setTimeout(240_000)

function whyNoOpenssl(): string | false {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'needs openssl, to make certificates'
  }
}

/** An authority in a folder, and certificates of it. */
class Authority {
  readonly certificate: string
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    this.certificate = join(folder, 'ca.pem')
    this.#openssl(`req -x509 ${NEW_KEY} -days 2 -keyout ca.key -subj /CN=authority -out ca.pem`)
  }

  /** Flags of a node with a certificate for a name, which ends in so many days. */
  issue(name: string, subject: string, days = 2): readonly string[] {
    this.#openssl(`req ${NEW_KEY} -keyout ${name}.key -subj /CN=${name} -out ${name}.csr`)
    writeFileSync(join(this.#folder, `${name}.ext`), `subjectAltName=${subject}\n`)
    const signing = `-CA ca.pem -CAkey ca.key -CAcreateserial -days ${days} -extfile ${name}.ext`
    this.#openssl(`x509 -req -in ${name}.csr ${signing} -out ${name}.pem`)
    return ['--tls-cert', join(this.#folder, `${name}.pem`), '--tls-key', join(this.#folder, `${name}.key`)]
  }

  #openssl(words: string): void {
    execFileSync('openssl', words.split(' '), { cwd: this.#folder, stdio: 'ignore' })
  }
}

const NEW_KEY = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'

t.test('nodes over TLS', { skip: whyNoOpenssl() }, async t => {
  const authority = new Authority(t.testdir())
  const pem = readFileSync(authority.certificate, 'utf8')
  const trusting = { NODE_EXTRA_CA_CERTS: authority.certificate }
  const good = authority.issue('good', 'IP:127.0.0.1')
  const start = async (t: Test, flags: readonly string[], boots: readonly number[] = []) => {
    const options = { flags, environment: trusting, authority: pem, ...(boots.length > 0 && { boots }) }
    const node = await startNode(options)
    t.teardown(() => node.kill())
    return node
  }
  const founder = await start(t, good)

  await t.test('who knows the authority joins, and is served', async t => {
    const { url } = await start(t, good, [founder.port])
    const put = await runProgram(['put', '-', 'a', '--node', url], {
      environment: trusting,
      stdin: 'over TLS',
    })
    t.same([put.code, put.stderr], [0, ''])
    const got = await runProgram(['get', 'a', '-', '--node', founder.url], { environment: trusting })
    t.same([got.code, got.stdout], [0, 'over TLS'])
  })

  /** What a node says that wants to join at a port, and a command that asks there. */
  async function refused(t: Test, port: number, environment: Readonly<Record<string, string>>, why: RegExp) {
    const joining = { boots: [port], flags: [...good, '--join-timeout', '500ms'], environment }
    const node = await runNode(joining, 60_000)
    t.equal(node.code, 1)
    const [log, ...rest] = [node.stderr.split('\n')[0] ?? '', node.stderr.trimEnd().split('\n').at(-1) ?? '']
    t.match(log, /"op":"join".*shows a certificate that is not trusted/, 'in the log')
    for (const text of [log, ...rest]) t.match(text, why)
    t.match(
      rest[0],
      /^No network was found within 0\.5 s: 127\.0\.0\.1:\d+ shows a certificate/,
      'and at its end',
    )
    const command = await runProgram(['list', '--node', `https://127.0.0.1:${port}`], { environment })
    t.equal(command.code, 1)
    t.match(command.stderr, /^The certificate of https:\/\/127\.0\.0\.1:\d+ is not trusted/)
    t.match(command.stderr, why)
  }

  await t.test('an authority that nobody knows', t => refused(t, founder.port, {}, /self-signed certificate/))
  await t.test('a certificate of another name', async t => {
    const flags = authority.issue('other', 'IP:127.0.0.2')
    await refused(t, await unreadyNode(t, flags), trusting, /does not match certificate/)
  })
  await t.test('a certificate that has ended', async t => {
    await refused(
      t,
      await unreadyNode(t, authority.issue('old', 'IP:127.0.0.1', -1)),
      trusting,
      /has expired/,
    )
  })

  /** The port of a node with a certificate that nobody accepts, not even who waits for it: it listens. */
  async function unreadyNode(t: Test, flags: readonly string[]): Promise<number> {
    const port = await freePort()
    const over = new AbortController()
    const node = startNode({
      port,
      flags,
      environment: trusting,
      authority: pem,
      signal: over.signal,
      readyTimeoutMs: 200_000,
    })
    t.teardown(async () => {
      over.abort()
      await node.catch(() => undefined)
    })
    const listens = () =>
      new Promise<boolean>(resolve => {
        const socket = connect(port, '127.0.0.1')
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
        socket.once('connect', () => socket.destroy())
      })
    await waitFor(listens, { what: 'it listens', pauseMs: 50 })
    return port
  }
})
