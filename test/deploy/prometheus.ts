/**
 * A real Prometheus that watches nodes of a test, once a second.
 */
import { execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from '../e2e/harness.ts'

/** Why there can be none here; false when there can. */
export function whyNoPrometheus(): string | false {
  try {
    execFileSync('prometheus', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'no prometheus'
  }
}

/** The state of an alert that is not inactive. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

export interface Prometheus {
  /** What it says at a path of its API, as `query?query=up`. Undefined while it does not answer, or has an error to tell. */
  ask(path: string): Promise<unknown>
}

/** Ends with the test. `urls` are the nodes, and `rules` the text of a file of alert rules. */
export async function startPrometheus(
  t: Test,
  urls: readonly string[],
  rules = 'groups: []',
): Promise<Prometheus> {
  const folder = t.testdir({ 'rules.yaml': rules })
  const targets = urls.map(url => url.slice('http://'.length))
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'altered-chord', static_configs: [{ targets }] }],
  }
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify(config))
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
  return {
    async ask(path) {
      const reply = await fetch(`http://${address}/api/v1/${path}`).catch(() => undefined)
      if (!reply?.ok) return undefined
      return ((await reply.json()) as { data: unknown }).data
    },
  }
}
