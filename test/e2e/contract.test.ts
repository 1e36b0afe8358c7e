/**
 * The contract against a node, by somebody who knows only the contract: schemathesis (PyPI) asks what /openapi.json allows and what it does
 * not, the same in each run, and checks each answer against it.
 */
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { startNode } from './harness.ts'

t.setTimeout(600_000)

function isThere(): boolean {
  try {
    execFileSync('schemathesis', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Doors that end the node or take it out of its network. */
const LEFT_OUT = '^/(depart|join|recover)$'

/**
 * A request can be as the contract has it and be refused: for what stands at its path (412), because two of its fields contradict each other, or
 * because a field has a grammar of its own (If-Match, Range, the parts of a form), which JSON Schema does not say.
 */
const LEFT_OUT_CHECK = 'positive_data_acceptance'

t.test(
  'no answer that the contract does not have',
  { skip: !isThere() && 'no schemathesis (pip install schemathesis)' },
  async t => {
    const node = await startNode({ dataDirectory: t.testdir() })
    t.teardown(() => node.kill())
    const options = ['--checks', 'all', '--exclude-checks', LEFT_OUT_CHECK, '--exclude-path-regex', LEFT_OUT]
    const bounds = [
      '--seed',
      '7',
      '--generation-deterministic',
      '--max-examples',
      '15',
      '--max-time',
      '120',
      '--phases',
      'examples,coverage,fuzzing',
    ]
    const run = promisify(execFile)(
      'schemathesis',
      ['run', `${node.url}/openapi.json`, ...options, ...bounds, '--no-color'],
      { cwd: t.testdir(), maxBuffer: 64 * 1024 * 1024 },
    )
    const { stdout, code } = await run.then(
      ({ stdout }) => ({ stdout, code: 0 }),
      (error: { stdout: string; code: number }) => error,
    )
    t.comment(stdout.slice(-600))
    t.equal(code, 0, code === 0 ? 'schemathesis finds nothing' : stdout.slice(-20_000))
    t.match(stdout, /Test cases:\s+\d{3,}/, 'it asked a lot')
    t.equal((await fetch(`${node.url}/health`)).status, 200, 'the node is still there')
  },
)
