/**
 * Packs the package, unpacks it into another project, and uses it there as a stranger would: plain JavaScript for the
 * program and the client, TypeScript for the declarations.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { VERSION } from '../src/version.ts'
import { runningNode } from './running-node.ts'
import { repositoryRoot } from './tidy/inventory.ts'

const run = promisify(execFile)

// The compiler alone takes its time on a busy machine.
t.setTimeout(900_000)

/** The package as a file; made once. */
let packed: Promise<string> | undefined

function packedFile(): Promise<string> {
  packed ??= (async () => {
    const folder = t.testdir({})
    const environment = { PATH: process.env.PATH, HOME: folder, npm_config_update_notifier: 'false' }
    await run('npm', ['pack', repositoryRoot, '--pack-destination', folder], {
      cwd: folder,
      env: environment,
    })
    return join(folder, readdirSync(folder).find(name => name.endsWith('.tgz')) as string)
  })()
  return packed
}

t.test('the packed package works in another project', async t => {
  const project = t.testdir({ 'package.json': '{"type":"module"}' })
  const environment = { PATH: process.env.PATH, HOME: project, npm_config_update_notifier: 'false' }
  const options = { cwd: project, env: environment }
  const archive = await packedFile()
  const home = join(project, 'node_modules/altered-chord')
  mkdirSync(home, { recursive: true })
  await run('tar', ['-xzf', archive, '--strip-components=1', '-C', home], options)
  for (const folder of ['test', 'src', 'dist/lab'])
    t.notOk(existsSync(join(home, folder)), `${folder} stays at home`)
  t.ok(existsSync(join(home, 'dist/console/index.html')))
  symlinkSync(join(repositoryRoot, 'node_modules'), join(home, 'node_modules'))

  const program = await run(process.execPath, [join(home, 'bin/altered-chord.js'), '--version'], options)
  t.equal(program.stdout, `${VERSION}\n`)

  const { url } = await runningNode(t)
  writeFileSync(
    join(project, 'use.js'),
    `import { errorCode, StoreClient, StoreError } from 'altered-chord'
const store = new StoreClient({ node: ${JSON.stringify(url)} })
await store.put('a', 'stored')
const error = await store.get('none').catch(error => error)
console.log((await store.get('a')).size, errorCode(error), error instanceof StoreError)
await store.close()
`,
  )
  const use = await run(process.execPath, ['use.js'], options)
  t.equal(use.stdout, '6 FILE_NOT_FOUND true\n')

  writeFileSync(
    join(project, 'use.ts'),
    `import { type Receipt, StoreClient } from 'altered-chord'
const receipt: Promise<Receipt> = new StoreClient({ node: 'http://a' }).put('a', 'b')
// @ts-expect-error: a number is no body
new StoreClient({ node: 'http://a' }).put('a', 7)
export const size: Promise<number> = receipt.then(({ size }) => size)
`,
  )
  const compiler = join(repositoryRoot, 'node_modules/typescript/bin/tsc')
  const types = join(repositoryRoot, 'node_modules/@types')
  const flags = ['--strict', '--noEmit', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext']
  const checked = await run(
    process.execPath,
    [compiler, ...flags, '--typeRoots', types, '--types', 'node', 'use.ts'],
    options,
  ).catch((error: { stdout: string }) => error)
  t.equal(checked.stdout, '')
})

t.test('it is installed from its file, for good and for one call', async t => {
  const folder = t.testdir({})
  const environment = { PATH: process.env.PATH, HOME: process.env.HOME, npm_config_update_notifier: 'false' }
  const options = { cwd: folder, env: environment }
  const file = await packedFile()
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline']
  const installed = await run('npm', ['i', '-g', '--prefix', folder, ...quiet, file], options).catch(
    error => error,
  )
  if (/E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|TIMEDOUT)|ENETUNREACH/.test(installed.stderr))
    return void t.pass('skipped: no registry of packages can be reached')
  const program = join(folder, 'bin/altered-chord')
  t.equal((await run(program, ['-V'], options)).stdout, `${VERSION}\n`)
  t.match(await run(program, ['experiment', 'lookup'], options).catch(error => error), {
    code: 1,
    stderr: /laboratory is not in the package/,
  })
  const { url } = await runningNode(t)
  writeFileSync(join(folder, 'a'), 'bytes')
  await run(program, ['put', 'a', 'a', '--node', url], options)
  const once = [
    '--yes',
    '--prefer-offline',
    '--package',
    file,
    'altered-chord',
    'get',
    'a',
    '-',
    '--node',
    url,
  ]
  t.equal((await run('npx', once, options)).stdout, 'bytes')
})
