import t from 'tap'
import type { PeerIdentity } from '../../src/peer/peers.ts'
import { PeerVersions, PROTOCOL_VERSION, type ProtocolVersion } from '../../src/peer/protocol.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const peer = 'peer:1' as Address

function start(counter: number, disk = 'a'): PeerIdentity {
  return { address: peer, nodeId: disk.repeat(32) as NodeId, boot: { counter, nonce: '0' } }
}

t.test('two versions are understood, by a program of the oldest one', async t => {
  const rows: [PeerVersions, number[]][] = [
    [new PeerVersions(), [PROTOCOL_VERSION - 1, PROTOCOL_VERSION]],
    [new PeerVersions({ speaks: 3 }), [3]],
  ]
  for (const [versions, understood] of rows) {
    const all = [-1, 0, 1, 1.5, 2, 3, 4, 5, Number.NaN]
    t.same(
      all.filter(version => versions.understands(version)),
      understood,
    )
  }
})

t.test('what is said last counts, of the latest start', async t => {
  const said: [what: string, [PeerIdentity, number][], of: ProtocolVersion][] = [
    ['an old one', [[start(1), 3]], 3],
    ['a new one', [[start(1), 4]], 4],
    ['one that is newer than this program', [[start(1), 7]], 4],
    [
      'one that knows this node by now',
      [
        [start(1), 3],
        [start(1), 4],
      ],
      4,
    ],
    [
      'one that did not know this node when it said less',
      [
        [start(1), 4],
        [start(1), 3],
      ],
      4,
    ],
    [
      'upgraded',
      [
        [start(1), 3],
        [start(2), 4],
      ],
      4,
    ],
    [
      'downgraded',
      [
        [start(1), 4],
        [start(2), 3],
      ],
      3,
    ],
    [
      'upgraded, and an earlier word comes late',
      [
        [start(1), 3],
        [start(2), 4],
        [start(1), 3],
      ],
      4,
    ],
    [
      'another disk',
      [
        [start(9), 4],
        [start(1, 'b'), 3],
      ],
      3,
    ],
  ]
  for (const [what, words, of] of said) {
    const versions = new PeerVersions({ speaks: 4 })
    for (const [from, version] of words) versions.heard(peer, from, version)
    t.equal(versions.of(peer), of, what)
  }
})

t.test('a peer is asked in the newest version that both speak', async t => {
  const unsupported = (who: RegExp) => ({ code: 'PROTOCOL_UNSUPPORTED', message: who })
  const rows: [
    speaks: ProtocolVersion,
    known: ProtocolVersion | undefined,
    since: ProtocolVersion,
    asked: ProtocolVersion | RegExp,
  ][] = [
    [4, undefined, 3, 3],
    [4, undefined, 4, 4],
    [4, 3, 3, 3],
    [
      4,
      3,
      4,
      /^The node peer:1 speaks the peer protocol 3, and "check" exists since 4: it has to be upgraded/,
    ],
    [4, 4, 3, 4],
    [4, 4, 4, 4],
    [3, undefined, 3, 3],
    [3, 4, 3, 3],
    [3, 4, 4, /^This node speaks the peer protocol 3/],
  ]
  for (const [speaks, known, since, asked] of rows) {
    const versions = new PeerVersions({ speaks })
    if (known !== undefined) versions.heard(peer, start(1), known)
    if (typeof asked === 'number') t.equal(versions.versionFor(peer, since, 'check'), asked)
    else t.throws(() => versions.versionFor(peer, since, 'check'), unsupported(asked))
  }
})

t.test('who refuses a version is asked in the other one, until it says more', async t => {
  const versions = new PeerVersions({ speaks: 4 })
  versions.heard(peer, start(1), 4)
  versions.refused(peer, 4)
  t.equal(versions.of(peer), 3)
  versions.refused(peer, 3)
  t.equal(versions.of(peer), 4, 'a program after the next knows the newer one only')
  versions.refused(peer, 4)
  versions.heard(peer, start(1), 4)
  t.equal(versions.of(peer), 4)
  versions.forget(peer)
  t.equal(versions.of(peer), undefined)
})

t.test('of many peers the one heard of longest ago is forgotten', async t => {
  const versions = new PeerVersions({ speaks: 4 })
  const name = (index: number) => `peer:${index}` as Address
  for (let index = 0; index < 1024; index++) versions.heard(name(index), start(1), 4)
  versions.heard(name(0), start(1), 4)
  versions.heard(name(1024), start(1), 4)
  t.same(
    [0, 1, 2, 1024].map(index => versions.of(name(index))),
    [4, undefined, 4, 4],
  )
})
