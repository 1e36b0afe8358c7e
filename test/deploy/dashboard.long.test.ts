/**
 * Puts each query of the dashboard to a real Prometheus that watches running nodes: it has to have an answer.
 */
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePort, repositoryRoot, waitFor } from '../e2e/harness.ts'
import { runningNetwork } from '../running-node.ts'

const hasPrometheus = (() => {
  try {
    execFileSync('prometheus', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

t.test('each panel shows something', { skip: !hasPrometheus && 'no prometheus' }, async t => {
  const nodes = await runningNetwork(t, 3)
  const folder = t.testdir({})
  const targets = nodes.map(({ url }) => url.slice('http://'.length))
  const job = { job_name: 'altered-chord', scrape_interval: '1s', static_configs: [{ targets }] }
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify({ scrape_configs: [job] }))
  const address = `127.0.0.1:${await freePort()}`
  const flags = [
    '--config.file=prometheus.yaml',
    '--storage.tsdb.path=data',
    `--web.listen-address=${address}`,
  ]
  const prometheus = spawn('prometheus', flags, { cwd: folder, stdio: 'ignore' })
  const ended = new Promise(resolve => prometheus.once('exit', resolve))
  t.teardown(async () => {
    prometheus.kill('SIGTERM')
    await ended
  })

  const file = readFileSync(join(repositoryRoot, 'deploy/grafana-dashboard.json'), 'utf8')
  const { panels } = JSON.parse(file) as { panels: readonly Panel[] }
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
      let last = ''
      const hasAnswer = async () => {
        await work()
        const asked = `http://${address}/api/v1/query?query=${encodeURIComponent(query)}`
        last = await fetch(asked).then(
          reply => reply.text(),
          error => JSON.stringify({ status: 'error', error: String(error) }),
        )
        const { status, data } = JSON.parse(last) as { status: string; data?: { result: unknown[] } }
        return status === 'success' && data !== undefined && data.result.length > 0
      }
      await waitFor(hasAnswer, { what: `"${title}" has an answer`, timeoutMs: 60_000, pauseMs: 500 })
      const values = [...last.matchAll(/"value":\[[^,]+,"([^"]+)"\]/g)].map(([, value]) => value)
      t.ok(
        values.some(value => Number.isFinite(Number(value))),
        `${title}: ${query}`,
      )
    }
})
