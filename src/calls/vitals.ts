/**
 * What a node says of itself to whoever looks at the network: how much it keeps, its disk, its memory and what it has done.
 */

export interface Vitals {
  /** Of the program. */
  readonly version: string
  readonly uptimeSeconds: number
  readonly files: number
  /** Bytes of these files. */
  readonly bytes: number
  /** Of the process, resident. */
  readonly memoryBytes: number
  /** Requests that were answered since the start, those of other nodes not counted. */
  readonly requests: number
  /** Of the file system that the files are on; absent where they are in memory, and before it was looked at. */
  readonly disk?: { readonly freeBytes: number; readonly totalBytes: number } | undefined
}

/** What another program may have said, as what it should be: an answer is shown to people and to programs. */
export function vitalsIn(value: unknown): Vitals | undefined {
  const said = (value ?? {}) as Partial<Record<keyof Vitals, unknown>>
  const { version, disk } = said
  const names = ['uptimeSeconds', 'files', 'bytes', 'memoryBytes', 'requests'] as const
  if (typeof version !== 'string' || version.length > VERSION_LENGTH_MAX) return undefined
  if (names.some(name => !isCount(said[name]))) return undefined
  const [uptimeSeconds, files, bytes, memoryBytes, requests] = names.map(name => said[name] as number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const space = (disk ?? {}) as { freeBytes?: unknown; totalBytes?: unknown }
  const { freeBytes, totalBytes } = space
  const isSpace = isCount(freeBytes) && isCount(totalBytes)
  return {
    ...{ version, uptimeSeconds, files, bytes, memoryBytes, requests },
    ...(isSpace && { disk: { freeBytes, totalBytes } }),
  }
}

const VERSION_LENGTH_MAX = 64

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
