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
    await writeFile(script, wrkScript(load))
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
function wrkScript(load: SocketLoad): string {
  const report = `
done = function(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    'RESULT {"perSecond":%f,"requests":%d,"refused":%d,"latencyMs":{"p50":%f,"p99":%f}}\\n',
    summary.requests / (summary.duration / 1e6), summary.requests, errors.status + broken,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`
  if (!load.uniquePaths) return report
  return `
local number = 0
local head = "${load.method} ${load.target}/"
local tail = " HTTP/1.1\\r\\nHost: 127.0.0.1:${load.port}\\r\\nContent-Type: application/octet-stream\\r\\n" ..
  "Content-Length: ${load.bodyBytes ?? 0}\\r\\n\\r\\n" .. string.rep("x", ${load.bodyBytes ?? 0})
request = function()
  number = number + 1
  return head .. string.format("%02x/%d", number % 256, number) .. tail
end
${report}`
}
