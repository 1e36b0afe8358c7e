/**
 * A folder as the console shows it: sorted, searched, and as rows that are in sight.
 */
import { nameOf } from './format.js'

/**
 * One row. Folders have no size, type or time: they are what paths have in common.
 * @typedef {{ place: string, name: string, isFolder: boolean, size: number, type: string, written: string }} Entry
 * @typedef {'name' | 'size' | 'type' | 'written'} Column
 */

/** @param {import('./api.js').StoredFile | import('./api.js').StoredFolder} listed @param {number} start @returns {Entry} */
export function entryOf(listed, start) {
  if ('prefix' in listed) {
    const place = listed.prefix
    return { place, name: nameOf(place), isFolder: true, size: -1, type: '', written: '' }
  }
  const { path, size, mediaType, writtenAt } = listed
  return { place: path, name: path.slice(start), isFolder: false, size, type: mediaType, written: writtenAt }
}

/** Numbers in names count as numbers, so that 10 comes after 9. */
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

/**
 * Those whose names contain all words of `search`, folders first.
 * @param {readonly Entry[]} entries
 * @param {{ column: Column, descending: boolean, search: string }} order
 */
export function arranged(entries, { column, descending, search }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const found =
    words.length === 0
      ? entries.slice()
      : entries.filter(({ name }) => words.every(word => name.toLowerCase().includes(word)))
  const sign = descending ? -1 : 1
  return found.sort((a, b) => {
    if (a.isFolder !== b.isFolder) return a.isFolder ? -1 : 1
    const by =
      column === 'size'
        ? a.size - b.size
        : column === 'written'
          ? a.written < b.written
            ? -1
            : Number(a.written > b.written)
          : column === 'type'
            ? collator.compare(a.type, b.type)
            : 0
    return sign * (by || collator.compare(a.name, b.name))
  })
}

/** Rows kept beyond both edges, so that a quick hand meets no white. */
const SPARE_ROWS = 12

/**
 * Which rows of `count` are drawn.
 * @param {{ top: number, height: number, row: number, count: number }} sight in pixels
 */
export function rowsInSight({ top, height, row, count }) {
  const first = Math.max(0, Math.floor(top / row) - SPARE_ROWS)
  return { first, last: Math.min(count, Math.ceil((top + height) / row) + SPARE_ROWS) }
}

/** What a preview makes of a file. @param {string} type @param {string} name @returns {'image' | 'text' | 'page' | 'none'} */
export function kindOf(type, name) {
  const essence = type.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (/^image\/(?:png|jpeg|gif|webp|avif|svg\+xml|bmp|x-icon)$/.test(essence)) return 'image'
  if (/^(?:text\/html|application\/xhtml\+xml|audio\/.*|video\/.*)$/.test(essence)) return 'page'
  if (/^text\/|[/+](?:json|xml|yaml|toml|javascript|x-sh|x-ndjson|sql)$/.test(essence)) return 'text'
  const guess = essence === '' || essence === 'application/octet-stream'
  const texts = /\.(?:txt|md|log|csv|json|ya?ml|toml|ini|conf|[cm]?[jt]sx?|py|rs|go|c|h|sh|css|xml|sql)$/i
  return guess && texts.test(name) ? 'text' : 'none'
}
