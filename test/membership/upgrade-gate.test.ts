import t from 'tap'
import { StoreError } from '../../src/errors.ts'
import { UpgradeGate } from '../../src/membership/upgrade-gate.ts'
import { PeerVersions, type ProtocolVersion } from '../../src/peer/protocol.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const [a, b, c] = ['a:1', 'b:1', 'c:1'] as Address[] as [Address, Address, Address]

function gateWhere(
  known: Partial<Record<string, ProtocolVersion>>,
  answers: Partial<Record<string, ProtocolVersion>>,
) {
  const versions = new PeerVersions({ speaks: 4 })
  const asked: Address[] = []
  const hear = (address: Address, version: ProtocolVersion) =>
    versions.heard(
      address,
      { address, nodeId: address.repeat(8) as NodeId, boot: { counter: 1, nonce: '0' } },
      version,
    )
  for (const [address, version] of Object.entries(known)) hear(address as Address, version as ProtocolVersion)
  const gate = new UpgradeGate({
    versions,
    others: () => [a, b, c],
    signal: new AbortController().signal,
    call: async address => {
      asked.push(address)
      const version = answers[address]
      if (version === undefined) throw new StoreError('UNAVAILABLE', 'It did not answer.')
      hear(address, version)
    },
  })
  return { gate, asked }
}

t.test('metadata waits until every node that will keep it can', async t => {
  const outdated = { code: 'PROTOCOL_UNSUPPORTED', message: /b:1 speaks the peer protocol 3.*user metadata/ }
  const rows: [
    what: string,
    known: Partial<Record<string, ProtocolVersion>>,
    answers: Partial<Record<string, ProtocolVersion>>,
    asked: Address[],
    refused: boolean,
  ][] = [
    ['all are new', { [a]: 4, [b]: 4 }, {}, [], false],
    ['a replica is old', { [a]: 4, [b]: 3 }, {}, [], true],
    ['a replica of which nothing was known is new', { [a]: 4 }, { [b]: 4 }, [b], false],
    ['a replica of which nothing was known is old', { [a]: 4 }, { [b]: 3 }, [b], true],
    ['a replica does not answer', { [a]: 4 }, {}, [b], false],
  ]
  for (const [what, known, answers, asked, refused] of rows) {
    const made = gateWhere(known, answers)
    const pass = made.gate.refuseOutdated([a, b, undefined])
    if (refused) await t.rejects(pass, outdated, what)
    else await t.resolves(pass, what)
    t.same(made.asked, asked, what)
  }
  const other = gateWhere({ [a]: 4, [b]: 4, [c]: 3 }, {})
  await t.rejects(other.gate.refuseOutdated([a, b]), /c:1/, 'a node that may be a replica tomorrow counts')
})
