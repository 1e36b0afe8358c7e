/**
 * Puts each query of the dashboard to a real Prometheus that watches running nodes: it has to have an answer. And reads the dashboard
 * by the schema of Grafana.
 */
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { repositoryRoot, waitFor } from '../e2e/harness.ts'
import { runningNetwork } from '../running-node.ts'
import { startPrometheus, whyNoPrometheus } from './prometheus.ts'

const run = promisify(execFile)
const file = join(repositoryRoot, 'deploy/grafana-dashboard.json')

/** Fetching the modules and compiling, ms. */
const BUILD_TIMEOUT_MS = 300_000

t.setTimeout(600_000)

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

t.test('each panel shows something', { skip: whyNoPrometheus() }, async t => {
  const nodes = await runningNetwork(t, 3)
  const prometheus = await startPrometheus(
    t,
    nodes.map(({ url }) => url),
  )
  const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { panels: readonly Panel[] }
  let number = 0
  const work = async () => {
    for (const { url } of nodes) {
      await fetch(`${url}/put/${number++}`, { method: 'PUT', body: 'x' })
      await fetch(`${url}/get/not-there`)
    }
  }
  for (const { title, targets: queries = [] } of panels)
    for (const { expr } of queries) {
      // Grafana puts in a time of its own: four times what lies between two samples.
      const query = expr.replaceAll('$__rate_interval', '4s')
      let values: number[] = []
      const hasAnswer = async () => {
        await work()
        const data = await prometheus.ask(`query?query=${encodeURIComponent(query)}`)
        const { result } = Object(data) as { result?: { value: [number, string] }[] }
        values = (result ?? []).map(({ value }) => Number(value[1]))
        return values.length > 0
      }
      await waitFor(hasAnswer, { what: `"${title}" has an answer`, timeoutMs: 60_000, pauseMs: 500 })
      t.ok(values.some(Number.isFinite), `${title}: ${query}`)
    }
})

t.test('the dashboard is as the schema of Grafana has it', async t => {
  const program = join(t.testdir({}), 'dashboard')
  const cwd = join(import.meta.dirname, 'dashboard')
  try {
    await run('go', ['build', '-buildvcs=false', '-o', program, '.'], { cwd, timeout: BUILD_TIMEOUT_MS })
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    t.pass(code === 'ENOENT' ? 'there is no Go on this machine' : message, { skip: true })
    return
  }
  const complaints = (input: string) => {
    const { stderr, status } = spawnSync(program, { input, encoding: 'utf8' })
    return status === 0 ? '' : stderr
  }
  const text = readFileSync(file, 'utf8')
  t.equal(complaints(text), '')
  t.match(complaints(text.replace('"showLegend"', '"legendShown"')), /unexpected field 'legendShown'/)
  t.match(complaints(text.replace('"title": "altered-chord"', '"title": 1')), /title/)
})
