import t from 'tap'
import type { ChainNode } from '../../../src/lab/simulator/chain-node.ts'
import { Expendables } from '../../../src/lab/simulator/expendables.ts'
import type { BlobState } from '../../../src/replication/chain/blob-table.ts'
import { arcContains } from '../../../src/ring/arc.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { asSource } from '../../../src/views/view.ts'
import { chainBench } from './chain-bench.ts'

const BLOB = '7'.repeat(32) as BlobId

/** Four nodes, of which three have a file with a body. */
async function written() {
  const made = await chainBench({ nodes: 4 })
  const { clock, cluster, invariants, workload } = made
  const path = workload.paths[0] as PathName
  const body = { size: 1, sha256: '7'.repeat(64), blockChecksums: [0], content: { blobId: BLOB } }
  const meta = { mediaType: '' }
  workload.ask('c', cluster.node('n1'), { kind: 'put', path, body, meta, writtenAtMs: 0, condition: 'none' })
  await clock.runSettled(clock.monotonicMs() + 400)
  const replicas = invariants.newestActive(path)?.replicas ?? []
  const nodes = replicas.map(id => cluster.nodes.find(node => node.id === id))
  const outsider = cluster.nodes.find(({ id }) => !replicas.includes(id)) as ChainNode
  return {
    ...made,
    path,
    nodes: nodes as [ChainNode, ChainNode, ChainNode],
    outsider,
    expendables: new Expendables(made),
  }
}

t.test('any one disk of three may go, and no second one before the first is made up for', async t => {
  const { cluster, nodes, expendables } = await written()
  t.ok(expendables.hasDisk(nodes[0]))
  cluster.wipe(nodes[0])
  t.notOk(expendables.hasDisk(nodes[1]))
})

t.test('a copy of a body may go as long as another is one to rely on', async t => {
  const { path, nodes, outsider, expendables } = await written()
  const [kept, ...others] = nodes
  t.ok(expendables.hasBody(kept, BLOB))
  const blob = kept.machine?.blobs.get(BLOB) as BlobState
  for (const node of others) node.machine?.blobs.delete(BLOB)
  t.notOk(expendables.hasBody(kept, BLOB), 'it is the last one')
  t.notOk(expendables.hasDisk(kept))
  outsider.machine?.blobs.set(BLOB, blob)
  t.notOk(
    expendables.hasBody(kept, BLOB),
    'of a view that is complete, an old replica may let go at any moment',
  )
  for (const { machine, id } of nodes) {
    for (const state of [...(machine?.views.values() ?? [])]) {
      if (!arcContains(state.view, identifierOfPath(path)) || !state.view.replicas.includes(id)) continue
      const sources = [{ ...asSource(state.view), replicas: [outsider.id] }]
      machine?.views.set(state.view.id, { ...state, complete: false, view: { ...state.view, sources } })
    }
  }
  t.ok(expendables.hasBody(kept, BLOB), 'until then it keeps what it has')
})
