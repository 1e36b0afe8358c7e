/**
 * Owns the table of the nodes: what the asked node knows of each, what each says of itself, and what of the ring it has.
 */
import { duration, percent, size } from './format.js'
import { badge } from './lookup.js'
import { h } from './preact.js'

/**
 * @typedef {{ address: string, status: 'alive' | 'left' | 'dead', self?: boolean, suspect?: boolean, identifier: string, zone?: string }} KnownNode
 * @typedef {{ networkId: string, replicas: number, minReplicas: number, virtualNodes: number, nodes: KnownNode[] }} Network
 * @typedef {{ address: string, version: string, uptimeSeconds: number, recoveries: unknown[], durable: boolean, replication: string }} Status
 * @typedef {{ address: string, version?: string, files?: number, bytes?: number, requests?: number, memoryBytes?: number, diskBytes?: number, diskFreeBytes?: number, uptimeSeconds?: number }} Vitals
 * @typedef {KnownNode & Vitals & { share: number, heads: number, keeps: number, silent: boolean, requestsPerSecond?: number, bytesPerSecond?: number }} NodeRow
 */

/**
 * One row for each node that is or was there.
 * @param {Network} network
 * @param {import('./ring.js').Overlay} overlay
 * @param {{ nodes: readonly Vitals[], seconds: number } | undefined} before an earlier look, and how long ago it was
 * @returns {NodeRow[]}
 */
export function rowsOf(network, { ranges, nodes: vitals = [] }, before) {
  return network.nodes
    .filter(({ status }) => status !== 'left')
    .map(node => {
      const own = vitals.find(({ address }) => address === node.address)
      const earlier = before?.nodes.find(({ address }) => address === node.address)
      const heads = ranges.filter(({ head }) => head === node.address)
      return {
        ...node,
        ...own,
        silent: vitals.length > 0 && own === undefined,
        share: heads.reduce((sum, { share }) => sum + share, 0),
        heads: heads.length,
        keeps: ranges.filter(({ replicas }) => replicas.includes(node.address)).length,
        ...rate('requestsPerSecond', own?.requests, earlier?.requests, before?.seconds),
        ...rate('bytesPerSecond', own?.bytes, earlier?.bytes, before?.seconds),
      }
    })
}

/**
 * @param {string} name @param {number | undefined} now @param {number | undefined} earlier @param {number | undefined} seconds
 * @returns {Record<string, number>}
 */
function rate(name, now, earlier, seconds) {
  // A count that went back belongs to another start of the node.
  if (
    now === undefined ||
    earlier === undefined ||
    !seconds ||
    (name === 'requestsPerSecond' && now < earlier)
  )
    return {}
  return { [name]: (now - earlier) / seconds }
}

/** @param {NodeRow} row @returns {[kind: string, word: string]} */
export function stateOf({ status, suspect, silent }) {
  if (status === 'dead') return ['bad', 'dead']
  if (suspect) return ['bad', 'suspect']
  if (silent) return ['warn', 'silent']
  return ['good', 'alive']
}

/**
 * @param {object} table
 * @param {readonly NodeRow[]} table.rows
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
    'Files',
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

/** @param {NodeRow} row @param {{ colours: Map<string, string>, only: string, onOnly: (node: string) => void, withZones: boolean }} how */
function rowOf(row, { colours, only, onOnly, withZones }) {
  const [kind, word] = stateOf(row)
  const {
    address,
    self,
    zone,
    share,
    heads,
    keeps,
    files,
    bytes,
    memoryBytes,
    uptimeSeconds,
    requestsPerSecond,
    bytesPerSecond,
  } = row
  const known = (/** @type {unknown} */ value, /** @type {() => unknown} */ show) =>
    value === undefined ? '–' : show()
  return h(
    'tr',
    { key: address, class: only === address ? 'is-chosen' : '' },
    h(
      'th',
      { scope: 'row' },
      h(
        'button',
        {
          type: 'button',
          class: 'bare',
          'aria-pressed': only === address,
          title: 'Show its part of the ring',
          onClick: () => onOnly(only === address ? '' : address),
        },
        badge(address, colours),
      ),
      self && h('span', { class: 'faint' }, ' asked'),
    ),
    h('td', null, h('span', { class: `state ${kind}` }, word)),
    withZones && h('td', null, zone ?? '–'),
    h('td', null, percent(share)),
    h('td', null, `${heads} head, ${keeps} kept`),
    h(
      'td',
      null,
      known(files, () => `${files?.toLocaleString('en')}, ${size(bytes ?? 0)}`),
      bytesPerSecond
        ? h('div', { class: 'faint' }, `${bytesPerSecond > 0 ? '+' : '−'}${size(Math.abs(bytesPerSecond))}/s`)
        : null,
    ),
    h('td', null, disk(row)),
    h(
      'td',
      null,
      known(memoryBytes, () => size(memoryBytes ?? 0)),
    ),
    h(
      'td',
      null,
      known(
        requestsPerSecond,
        () => `${(requestsPerSecond ?? 0).toFixed(requestsPerSecond && requestsPerSecond < 10 ? 1 : 0)}/s`,
      ),
    ),
    h(
      'td',
      null,
      known(uptimeSeconds, () => duration(uptimeSeconds ?? 0)),
    ),
  )
}

/** @param {NodeRow} row */
function disk({ diskBytes, diskFreeBytes, files }) {
  if (diskBytes === undefined || diskFreeBytes === undefined) return files === undefined ? '–' : 'in memory'
  const used = diskBytes - diskFreeBytes
  return [
    h('meter', { min: 0, max: diskBytes, value: used, high: diskBytes * 0.9, 'aria-label': 'Disk in use' }),
    h('div', { class: 'faint' }, `${size(diskFreeBytes)} free`),
  ]
}
