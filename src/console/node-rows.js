/**
 * What is known of each node of the network, as rows.
 */

/**
 * @typedef {{ address: string, status: 'alive' | 'left' | 'dead', self?: boolean, suspect?: boolean, identifier: string, zone?: string }} KnownNode
 * @typedef {{ networkId: string, replicas: number, minReplicas: number, virtualNodes: number, nodes: KnownNode[] }} Network
 * @typedef {{ address: string, version: string, uptimeSeconds: number, files: number, bytes: number, memory: { rssBytes: number }, durable: boolean, replication: string }} Status
 * @typedef {KnownNode & { share: number, heads: number, keeps: number, own?: Status, bytesPerSecond?: number }} NodeRow
 */

/**
 * One row for each node that is or was there. A node says of itself how much it keeps; of the others it knows their part
 * of the ring.
 * @param {Network} network
 * @param {import('./ring.js').Overlay} overlay
 * @param {Status | null} status of the node that was asked
 * @param {{ bytes: number, seconds: number } | undefined} before what it kept earlier, and how long ago
 * @returns {NodeRow[]}
 */
export function rowsOf(network, { ranges }, status, before) {
  return network.nodes
    .filter(({ status: known }) => known !== 'left')
    .map(node => {
      const heads = ranges.filter(({ head }) => head === node.address)
      const own = node.self && status ? status : undefined
      return {
        ...node,
        share: heads.reduce((sum, { share }) => sum + share, 0),
        heads: heads.length,
        keeps: ranges.filter(({ replicas }) => replicas.includes(node.address)).length,
        ...(own && { own }),
        ...(own && before && { bytesPerSecond: (own.bytes - before.bytes) / before.seconds }),
      }
    })
}

/** @param {NodeRow} row @returns {[kind: string, word: string]} */
export function stateOf({ status, suspect }) {
  if (status === 'dead') return ['bad', 'dead']
  return suspect ? ['bad', 'suspect'] : ['good', 'alive']
}
