/**
 * How sizes and times are written by people and shown to them: `4 MiB`, `1.5 GB`, `30 s`.
 */

export type Unit = 'bytes' | 'ms' | 'count'

const byteUnits: Record<string, number> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  // A bare letter is the binary unit, as in ls, du and dd.
  ...Object.fromEntries(['k', 'm', 'g', 't'].map((letter, i) => [letter, 1024 ** (i + 1)])),
  ...Object.fromEntries(['kib', 'mib', 'gib', 'tib', 'pib'].map((name, i) => [name, 1024 ** (i + 1)])),
}

// No bare number: milliseconds or seconds would be a guess.
const timeUnits: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** A whole number in bytes, ms or pieces; undefined when `text` is not one. Upper and lower case are the same. */
export function parseQuantity(text: string, unit: Unit): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(text.trim())
  if (match === null) return undefined
  const units = unit === 'bytes' ? byteUnits : unit === 'ms' ? timeUnits : { '': 1 }
  const name = (match[2] as string).toLowerCase()
  if (!Object.hasOwn(units, name)) return undefined
  const value = Number(match[1]) * (units[name] as number)
  if (unit === 'count' && !Number.isInteger(value)) return undefined
  return Math.round(value)
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`
}

/** In the largest unit that leaves a number of at least 1, with at most one decimal. */
export function formatQuantity(value: number, unit: Unit): string {
  if (unit === 'count') return value.toLocaleString('en-US')
  const steps: [string, number][] =
    unit === 'bytes'
      ? ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'].map((name, i) => [name, 1024 ** i])
      : [
          ['ms', 1],
          ['s', 1000],
          ['min', 60_000],
          ['h', 3_600_000],
          ['d', 86_400_000],
        ]
  let [name, size] = steps[0] as [string, number]
  for (const step of steps) if (value >= step[1]) [name, size] = step
  const amount = Math.round((value / size) * 10) / 10
  return `${amount.toLocaleString('en-US')} ${name}`
}
