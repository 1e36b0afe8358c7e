/**
 * The transfer of one large body, put or got by a process of its own.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Bytes per second of one transfer. @throws Error when it is refused or cut. */
export async function runStreamLoad(
  port: number,
  direction: 'put' | 'get',
  target: string,
  bytes: number,
): Promise<number> {
  const program = fileURLToPath(new URL('stream-load-main.ts', import.meta.url))
  const { stdout } = await run(process.execPath, [
    '--import',
    'tsx',
    ...[program, String(port), direction, target, String(bytes)],
  ])
  return bytes / (JSON.parse(stdout) as { seconds: number }).seconds
}
