/**
 * What is known of each node of the network, as rows.
 */

/**
 * @typedef {{ address: string, status: 'alive' | 'left' | 'dead', self?: boolean, suspect?: boolean, identifier: string, zone?: string }} KnownNode
 * @typedef {{ networkId: string, replicas: number, minReplicas: number, virtualNodes: number, nodes: KnownNode[] }} Network
 * @typedef {{ durable: boolean, replication: string }} Status
 * @typedef {{ address: string, uptimeSeconds: number, files: number, bytes: number, memoryBytes: number, requests: number, disk?: { freeBytes: number, totalBytes: number } }} Vitals
 * @typedef {{ at: number, nodes: readonly Vitals[] }} Look when, ms, and what the nodes said
 * @typedef {KnownNode & { share: number, heads: number, keeps: number, vitals?: Vitals, bytesPerSecond?: number, requestsPerSecond?: number }} NodeRow
 */

/**
 * One row for each node that is or was there: its part of the ring, and what it says of itself, if it answers.
 * @param {Network} network
 * @param {import('./ring.js').Overlay} overlay
 * @param {readonly Look[]} looks the oldest first, of which the last one is shown
 * @returns {NodeRow[]}
 */
export function rowsOf(network, { ranges }, looks) {
  const [first, now] = [looks[0], looks.at(-1)]
  const of = (/** @type {Look | undefined} */ look, /** @type {string} */ address) =>
    look?.nodes.find(node => node.address === address)
  return network.nodes
    .filter(({ status: known }) => known !== 'left')
    .map(node => {
      const heads = ranges.filter(({ head }) => head === node.address)
      const [vitals, before] = [of(now, node.address), of(first, node.address)]
      const seconds = now && first ? (now.at - first.at) / 1000 : 0
      // One that has started again counts from nothing.
      const counts = vitals && before && seconds > 0 && vitals.uptimeSeconds >= before.uptimeSeconds
      return {
        ...node,
        share: heads.reduce((sum, { share }) => sum + share, 0),
        heads: heads.length,
        keeps: ranges.filter(({ replicas }) => replicas.includes(node.address)).length,
        ...(vitals && { vitals }),
        ...(counts && {
          bytesPerSecond: (vitals.bytes - before.bytes) / seconds,
          requestsPerSecond: (vitals.requests - before.requests) / seconds,
        }),
      }
    })
}

/** @param {NodeRow} row @returns {[kind: string, word: string]} */
export function stateOf({ status, suspect }) {
  if (status === 'dead') return ['bad', 'dead']
  return suspect ? ['bad', 'suspect'] : ['good', 'alive']
}
