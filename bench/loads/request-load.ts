/**
 * Loads of many small requests for a given time: with wrk where it is installed, which takes the least from the
 * server beside it, else with our own generator.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { versionOf } from '../machine.ts'
import { type LoadResult, runSocketLoad, type SocketLoad } from './socket-load.ts'

const run = promisify(execFile)

/** Runs a load for `durationMs`. @throws Error when anything is answered other than 2xx. */
export async function runRequestLoad(
  load: SocketLoad & { readonly durationMs: number },
): Promise<LoadResult> {
  const result = (await versionOf('wrk', '-v')) === undefined ? await runSocketLoad(load) : await runWrk(load)
  if (result.refused > 0) throw new Error(`${result.refused} of ${result.requests} requests were refused`)
  return result
}

async function runWrk(load: SocketLoad & { readonly durationMs: number }): Promise<LoadResult> {
  const directory = await mkdtemp(join(tmpdir(), 'altered-chord-wrk-'))
  try {
    const script = join(directory, 'load.lua')
    const targetsFile = join(directory, 'targets')
    if (load.targets !== undefined) await writeFile(targetsFile, `${load.targets.join('\n')}\n`)
    await writeFile(script, wrkScript(load, targetsFile))
    const { stdout } = await run('wrk', [
      ...['-t', '1', '-c', String(load.connections), '-d', `${Math.round(load.durationMs / 1000)}s`],
      ...['--timeout', '30s', '-s', script, `http://127.0.0.1:${load.port}${load.target}`],
    ])
    const line = /^RESULT (.*)$/m.exec(stdout)?.[1]
    if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`)
    return JSON.parse(line) as LoadResult
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** The requests are put together by hand: wrk.format costs more than a fast server does. */
function wrkScript(load: SocketLoad, targetsFile: string): string {
  const report = `
done = function(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    'RESULT {"perSecond":%f,"requests":%d,"refused":%d,"latencyMs":{"p50":%f,"p99":%f,"p999":%f}}\\n',
    summary.requests / (summary.duration / 1e6), summary.requests, errors.status + broken,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    latency:percentile(99.9) / 1000))
end
`
  const bytes = load.bodyBytes ?? 0
  const tail = [
    `local tail = " HTTP/1.1\\r\\nHost: 127.0.0.1:${load.port}\\r\\nContent-Type: application/octet-stream\\r\\n" ..`,
    `  "Content-Length: ${bytes}\\r\\n\\r\\n" .. string.rep("x", ${bytes})`,
  ].join('\n')
  if (load.targets !== undefined) return `${tail}\n${targetsScript(load.method, targetsFile)}\n${report}`
  if (!load.uniquePaths) return report
  return `
local number = 0
local head = "${load.method} ${load.target}/"
${tail}
request = function()
  number = number + 1
  return head .. string.format("%02x/%d${load.query ?? ''}", number % 256, number) .. tail
end
${report}`
}

/** One target a line; they come back when there are no more. */
function targetsScript(method: string, file: string): string {
  return `
local targets = {}
for line in io.lines("${file}") do targets[#targets + 1] = line end
local number = 0
request = function()
  number = number + 1
  return "${method} " .. targets[(number - 1) % #targets + 1] .. tail
end`
}
