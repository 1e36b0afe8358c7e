/**
 * How a node of a ring speaks to the others: by HTTP in the program. The simulator has a network of its own behind the
 * same port, so that it runs everything else as it is.
 */
import type { Env } from '../env.ts'
import { HttpPeers, type HttpPeersComponents, type HttpPeersInit } from '../peer/http-peers.ts'
import type { PeerIdentity, Peers } from '../peer/peers.ts'
import { PeerVersions, type ProtocolVersion } from '../peer/protocol.ts'
import { Turns } from '../peer/turns.ts'
import type { Credentials } from '../peer/wire.ts'
import type { Address } from '../ring/identifier.ts'
import type { PeerAnswer, PeerCall, PeerStream } from './calls.ts'
import type { Envelope } from './envelope.ts'

export type RingPeers = Peers<Envelope, PeerCall, PeerAnswer, PeerStream> & {
  /** How long the messages under way to a node have waited for its answer, ms; 0 when none are. */
  waitsMs(to: Address): number
}

export type RingPeersInit = HttpPeersInit<Envelope, PeerCall | PeerStream>

/** Makes a node's way to the others. */
export type Connect = (components: HttpPeersComponents, init: RingPeersInit) => RingPeers

export const byHttp: Connect = (components, init) => new HttpPeers(components, init)

export interface RingCredentialsInit {
  /** Several are separated by commas: the first signs, all of them count. */
  readonly secret: string | undefined
  /** See PeerVersions. */
  readonly speaks?: ProtocolVersion
  readonly networkId: () => string | undefined
  readonly self: () => PeerIdentity
}

/** How a node shows itself to the others. */
export function ringCredentials(env: Env, init: RingCredentialsInit): Credentials {
  const [secret, ...otherSecrets] = init.secret?.split(',') ?? []
  const { networkId, self } = init
  return { secret, otherSecrets, networkId, self, versions: new PeerVersions(init), turns: new Turns(env) }
}
