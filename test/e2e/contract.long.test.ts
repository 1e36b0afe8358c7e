/**
 * The contract against a node, by somebody who knows only the contract: schemathesis (PyPI) asks what /openapi.json allows and what it does
 * not, the same in each run, and checks each answer against it.
 */
import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
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

/**
 * Endpoints that end the node or take it out of its network; and WebDAV, whose methods have no word in OpenAPI 3.1 (litmus judges it,
 * test/dav).
 */
const LEFT_OUT = '^/(depart|join|recover)$|^/dav'

/** Endpoints that hand out stored files: each comes back as the type that it was given, also when its bytes are nothing of that type. */
const STORED = '^/(get|download|admin/webapp/download|shared)'

/**
 * A request can be as the contract has it and be refused: for what stands at its path (412), because two of its fields contradict each other, or
 * because a field has a grammar of its own (If-Match, Range, the parts of a form), which JSON Schema does not say.
 */
const LEFT_OUT_CHECK = 'positive_data_acceptance'

/** Which endpoints are asked, without which checks, for how long at most, s. */
const RUNS = [
  { endpoints: ['--exclude-path-regex', `${LEFT_OUT}|${STORED}`], without: LEFT_OUT_CHECK, seconds: 90 },
  {
    endpoints: ['--include-path-regex', STORED],
    without: `${LEFT_OUT_CHECK},response_schema_conformance`,
    seconds: 30,
  },
]

const BOUNDS = ['--seed', '7', '--generation-deterministic', '--max-examples', '15']

/** Where two paths are to be different ones, it throws away many that it has made. */
const BEARS = ['--suppress-health-check', 'filter_too_much']

/** Bodies of a type of which schemathesis knows nothing go as the bytes that they are. */
const HOOKS = `import schemathesis

@schemathesis.serializer('application/x-tar')
def tar(context, value):
    return value if isinstance(value, bytes) else str(value).encode('utf-8', 'replace')
`

t.test(
  'no answer that the contract does not have',
  { skip: !isThere() && 'no schemathesis (pip install schemathesis)' },
  async t => {
    const work = t.testdir({ data: {}, 'hooks.py': HOOKS })
    const node = await startNode({ dataDirectory: join(work, 'data') })
    t.teardown(() => node.kill())
    for (const { endpoints, without, seconds } of RUNS) {
      const checks = ['--checks', 'all', '--exclude-checks', without, '--phases', 'examples,coverage,fuzzing']
      const run = promisify(execFile)(
        'schemathesis',
        [
          ...['run', `${node.url}/openapi.json`, '--no-color', ...checks, ...endpoints],
          ...[...BOUNDS, ...BEARS, '--max-time', `${seconds}`],
        ],
        {
          cwd: work,
          maxBuffer: 64 * 1024 * 1024,
          env: { ...process.env, SCHEMATHESIS_HOOKS: join(work, 'hooks.py') },
        },
      )
      const { stdout, code } = await run.then(
        ({ stdout }) => ({ stdout, code: 0 }),
        (error: { stdout: string; code: number }) => error,
      )
      t.comment(stdout.slice(-600))
      t.equal(code, 0, code === 0 ? 'schemathesis finds nothing' : stdout.slice(-20_000))
      t.match(stdout, /Test cases:\s+\d{3,}/, 'it asked a lot')
    }
    t.equal((await fetch(`${node.url}/health`)).status, 200, 'the node is still there')
  },
)
