/**
 * Holds the systemd unit and its settings to what the program does; systemd's own checks run where it is installed.
 */
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { DEFAULT_LIMITS } from '../../src/config.ts'
import { parseQuantity } from '../../src/quantity.ts'
import { readNodeConfig } from '../../src/read-config.ts'
import { repositoryRoot } from '../e2e/harness.ts'

const run = promisify(execFile)
const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8')
const unit = read('deploy/altered-chord.service')

/** systemd's version, 0 where there is none. */
const version = (() => {
  try {
    return Number(
      /^systemd (\d+)/.exec(execFileSync('systemd-analyze', ['--version'], { encoding: 'utf8' }))?.[1],
    )
  } catch {
    return 0
  }
})()

function settingOf(name: string): string | undefined {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1]
}

t.test('the unit fits the program', async t => {
  t.match(settingOf('ExecStart'), / \/opt\/altered-chord\/start\.js$/)
  const stopMs = parseQuantity(settingOf('TimeoutStopSec') ?? '', 'ms') ?? 0
  t.ok(stopMs > DEFAULT_LIMITS.shutdownTimeoutMs, 'running requests have their time')
  t.ok(Number(settingOf('LimitNOFILE')) > 2 * DEFAULT_LIMITS.connectionsMax)
  t.equal(settingOf('Restart'), 'on-failure')
  t.equal(settingOf('RestartPreventExitStatus'), '2', 'a wrong setting is told once')
  t.equal(settingOf('StateDirectory'), 'altered-chord')
  t.match(settingOf('Environment'), /ALTERED_CHORD_DATA=%S\/altered-chord$/)
})

t.test('the settings beside it are complete once their secrets are filled in', async t => {
  const lines = read('deploy/altered-chord.env')
    .split('\n')
    .filter(line => /^\w+=/.test(line))
  const environment = Object.fromEntries(lines.map(line => line.split('=') as [string, string]))
  t.throws(() => readNodeConfig({}, environment), /add --secret and --token/)
  const secrets = { ALTERED_CHORD_SECRET: 's'.repeat(48), ALTERED_CHORD_TOKEN: 't'.repeat(48) }
  t.match(readNodeConfig({}, { ...environment, ...secrets }), {
    host: '0.0.0.0',
    port: 5000,
    advertise: 'files1.example:5000',
    boots: ['files2.example:5000', 'files3.example:5000'],
    foundsWhenNoneHas: true,
  })
})

const skip = version === 0 && 'systemd is not installed here'

t.test('systemd accepts the unit', { skip }, async t => {
  const folder = t.testdir({})
  // It also looks for the program, which this machine may have elsewhere.
  const here = unit
    .replace('/usr/bin/node', process.execPath)
    .replaceAll('/opt/altered-chord', repositoryRoot.replace(/\/$/, ''))
  const verify = async (name: string, text: string) => {
    const file = join(folder, name)
    await writeFile(file, text)
    return run('systemd-analyze', ['verify', '--man=no', file]).then(
      ({ stderr }) => stderr,
      (error: { stderr: string }) => error.stderr,
    )
  }
  const faults = async (name: string, text: string) =>
    (await verify(name, text)).split('\n').filter(line => line.includes(name))
  t.same(await faults('altered-chord.service', here), [])
  t.match(await faults('wrong.service', here.replace('PrivateTmp', 'PrivateTemp')), [/PrivateTemp/])
})

t.test(
  'systemd finds the service well shut in',
  { skip: skip || (version < 250 && 'systemd is too old') },
  async t => {
    const file = join(repositoryRoot, 'deploy/altered-chord.service')
    // In tenths of its scale of exposure, which ends at 10: systemd 252 counts 1.6.
    const judged = ['security', '--offline=true', '--threshold=20', '--no-pager']
    await run('systemd-analyze', [...judged, file])
    const open = join(t.testdir({}), 'open.service')
    await writeFile(
      open,
      unit.replace(/^(Protect|Private|Restrict|SystemCall|Capability|DynamicUser).*$/gm, ''),
    )
    await t.rejects(run('systemd-analyze', [...judged, open]), 'and would say if it were not')
  },
)
