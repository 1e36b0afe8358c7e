/**
 * How the console shows sizes, times and names to a person.
 */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/**
 * Bytes in the largest unit that leaves at least 1.
 * @param {number} bytes
 */
export function size(bytes) {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const text = unit === 0 || value >= 100 ? Math.round(value).toString() : value.toFixed(1)
  return `${text.replace(/\.0$/, '')} ${UNITS[unit]}`
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/**
 * When a file was written, in the reader's own language and time.
 * @param {string} iso
 */
export function date(iso) {
  return DATE.format(new Date(iso))
}

/**
 * A length of time in its two largest units: `3 d 4 h`, `12 s`.
 * @param {number} seconds
 */
export function duration(seconds) {
  /** @type {[string, number][]} */
  const units = [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ]
  const first = units.findIndex(([, length]) => seconds >= length)
  if (first === -1) return '0 s'
  const parts = []
  let left = Math.round(seconds)
  for (const [name, length] of units.slice(first, first + 2)) {
    const count = Math.floor(left / length)
    if (count > 0) parts.push(`${count} ${name}`)
    left -= count * length
  }
  return parts.join(' ')
}

/**
 * A part of the ring.
 * @param {number} share
 */
export function percent(share) {
  const value = share * 100
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`
}

/** @param {number} count @param {string} one @param {string} [many] */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** The last segment of a path or folder. @param {string} path */
export function nameOf(path) {
  const end = path.endsWith('/') ? path.length - 1 : path.length
  return path.slice(path.lastIndexOf('/', end - 1) + 1, end)
}

/** The folder that a path or folder lies in: empty, or ending with a slash. @param {string} path */
export function parentOf(path) {
  return path.slice(0, path.lastIndexOf('/', path.length - 2) + 1)
}
