/**
 * What RESULTS.md says of the machine: figures mean nothing without it.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Lines of Markdown: processor, cores, memory, filesystem of the data, kernel, Node, other programs, load. */
export async function describeMachine(): Promise<string[]> {
  const model = cpus()[0]?.model.trim() || 'unknown'
  return [
    `processor: ${model}, ${availableParallelism()} cores, shared by the servers and the load generators`,
    `memory: ${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    `filesystem of the data: ${await filesystemType(tmpdir())}`,
    `kernel: ${release()}`,
    `Node: ${process.version}`,
    `nginx: ${(await versionOf('nginx', '-v')) ?? 'not installed'}`,
    `wrk: ${(await versionOf('wrk', '-v')) ?? 'not installed; our own generator was used'}`,
    `load average at the start: ${loadavg()
      .map(load => load.toFixed(2))
      .join(', ')}`,
  ]
}

/** What a program says of its version, or undefined when it is not installed. */
export async function versionOf(program: string, flag: string): Promise<string | undefined> {
  // wrk prints its version and ends with 1.
  const printed = await run(program, [flag]).catch(error =>
    error.code === 'ENOENT' ? undefined : (error as { stdout: string; stderr: string }),
  )
  const line = printed && `${printed.stdout}${printed.stderr}`.split('\n')[0]
  return line?.replace(/^nginx version: /, '').replace(/ \[.*$| Copyright.*$/, '')
}

async function filesystemType(directory: string): Promise<string> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '')
  const candidates = mounts
    .split('\n')
    .map(line => line.split(' '))
    .filter(
      ([, point]) => point !== undefined && `${directory}/`.startsWith(point === '/' ? '/' : `${point}/`),
    )
    .toSorted((a, b) => (b[1]?.length ?? 0) - (a[1]?.length ?? 0))
  return candidates[0]?.[2] ?? 'unknown'
}
