/**
 * The table of the nodes: what the asked node knows of each, what it says of itself, and what of the ring each has.
 */
import { counted, duration, percent, size } from './format.js'
import { badge } from './lookup.js'
import { stateOf } from './node-rows.js'
import { h } from './preact.js'

/**
 * @param {object} table
 * @param {readonly import('./node-rows.js').NodeRow[]} table.rows
 * @param {Map<string, string>} table.colours
 * @param {string} table.only
 * @param {(node: string) => void} table.onOnly
 */
export function nodesTable({ rows, colours, only, onOnly }) {
  const withZones = rows.some(({ zone }) => zone !== undefined)
  const titles = [
    'Node',
    'State',
    ...(withZones ? ['Zone'] : []),
    'Ring',
    'Ranges',
    'Keeps',
    'Disk',
    'Memory',
    'Requests',
    'Up',
  ]
  return h(
    'div',
    { class: 'card table', tabIndex: 0, role: 'region', 'aria-label': 'Nodes' },
    h(
      'table',
      null,
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          titles.map(title => h('th', { key: title, scope: 'col' }, title)),
        ),
      ),
      h(
        'tbody',
        null,
        rows.map(row => rowOf(row, { colours, only, onOnly, withZones })),
      ),
    ),
  )
}

/** @param {import('./node-rows.js').NodeRow} row @param {{ colours: Map<string, string>, only: string, onOnly: (node: string) => void, withZones: boolean }} how */
function rowOf(row, { colours, only, onOnly, withZones }) {
  const [kind, word] = stateOf(row)
  const { address, self, zone, share, heads, keeps, vitals, bytesPerSecond, requestsPerSecond } = row
  const choose = () => onOnly(only === address ? '' : address)
  const attributes = {
    type: 'button',
    class: 'bare',
    'aria-pressed': only === address,
    title: 'Show its part of the ring',
  }
  const rate = bytesPerSecond
    ? h('div', { class: 'faint' }, `${bytesPerSecond > 0 ? '+' : '−'}${size(Math.abs(bytesPerSecond))}/s`)
    : null
  return h(
    'tr',
    { key: address, class: only === address ? 'is-chosen' : '' },
    h(
      'th',
      { scope: 'row' },
      h('button', { ...attributes, onClick: choose }, badge(address, colours)),
      self && h('span', { class: 'faint' }, ' asked'),
    ),
    h('td', null, h('span', { class: `state ${kind}` }, word)),
    withZones && h('td', null, zone ?? '–'),
    h('td', null, percent(share)),
    h('td', null, `${heads} head, ${keeps} kept`),
    h('td', null, vitals ? `${counted(vitals.files, 'file')}, ${size(vitals.bytes)}` : '–', rate),
    h('td', null, diskOf(vitals?.disk)),
    h('td', null, vitals ? size(vitals.memoryBytes) : '–'),
    h('td', null, requestsPerSecond === undefined ? '–' : `${requestsPerSecond.toFixed(1)}/s`),
    h('td', null, vitals ? duration(vitals.uptimeSeconds) : '–'),
  )
}

/** @param {{ freeBytes: number, totalBytes: number } | undefined} disk */
function diskOf(disk) {
  if (disk === undefined) return '–'
  const { freeBytes, totalBytes } = disk
  return h('span', { title: `of ${size(totalBytes)}` }, `${size(freeBytes)} free`)
}
