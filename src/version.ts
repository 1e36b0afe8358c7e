/**
 * Which version of the program this is: package.json says it once for all.
 */
import { readFileSync } from 'node:fs'

export const VERSION = readVersion(new URL('../package.json', import.meta.url))

/** @throws TypeError when the file names no version. */
function readVersion(packageFile: URL): string {
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version?: unknown }
  if (typeof version !== 'string') throw new TypeError(`${packageFile} names no version`)
  return version
}
