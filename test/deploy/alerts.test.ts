/**
 * Holds the alert rules and the dashboard to the metrics that there are; promtool runs the rules where it is installed.
 */
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { repositoryRoot } from '../e2e/harness.ts'
import { runningNode } from '../running-node.ts'

const run = promisify(execFile)
const fileOf = (path: string) => join(repositoryRoot, path)
const rulesFile = fileOf('deploy/prometheus-alerts.yaml')
const testsFile = fileOf('test/deploy/alerts.test.yaml')

const hasPromtool = (() => {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[]
}

const { groups } = parse(readFileSync(rulesFile, 'utf8')) as Rules
const rules = groups.flatMap(({ rules }) => rules)

t.test('each rule fires when it should', { skip: !hasPromtool && 'no promtool' }, async t => {
  t.match(await run('promtool', ['check', 'rules', rulesFile]), { stdout: /SUCCESS: 7 rules found/ })
  t.match(await run('promtool', ['test', 'rules', testsFile]), { stdout: /SUCCESS/ })
  const { tests } = parse(readFileSync(testsFile, 'utf8')) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[]
  }
  const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test)
  for (const { alert } of rules)
    for (const fires of [true, false])
      t.ok(
        cases.some(one => one.alertname === alert && one.exp_alerts.length > 0 === fires),
        `${alert} is tried ${fires ? 'where it fires' : 'where it does not'}`,
      )
})

t.test('rules and dashboard ask for metrics that a node has', async t => {
  const { url } = await runningNode(t)
  await fetch(`${url}/exists/a`)
  const known = new Set(
    [...(await (await fetch(`${url}/metrics`)).text()).matchAll(/^(\w+)(?=[{ ])/gm)].map(([, name]) => name),
  )
  const dashboard = JSON.parse(readFileSync(fileOf('deploy/grafana-dashboard.json'), 'utf8')) as {
    panels: { targets?: { expr: string }[] }[]
  }
  const panels = dashboard.panels.flatMap(({ targets = [] }) => targets)
  const queries = [...rules, ...panels].map(({ expr }) => expr)
  t.ok(queries.length > 12)
  for (const query of queries)
    for (const [name] of query.matchAll(/\b(?:altered_chord|process|nodejs)_\w+/g))
      t.ok(known.has(name), name)
})
