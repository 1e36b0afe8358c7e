/**
 * How this node begins to speak to another one: a greeting asks for the name of the
 * peer's present start, and every request after it repeats that name and takes a turn of its own (turns.ts).
 */
import type { Randomness } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Address } from '../ring/identifier.ts'
import { drawName } from './turns.ts'

/** Peers with whom a session is kept, as many as connections are kept to (http-peers.ts); the oldest goes first. */
const SESSIONS_MAX = 1024

/** What a request says of its destination and of itself. */
export interface Turn {
  /** `NODEID.START` of the peer. */
  readonly to: string
  /** `SENDER.NUMBER`. */
  readonly turn: string
}

interface Session {
  readonly to: string
  /** Names this session in its turns: one that is begun anew counts anew. */
  readonly sender: string
  turns: number
}

interface Opening {
  readonly opened: Promise<Session>
  session?: Session
}

export class Sessions {
  readonly #randomness: Randomness
  readonly #open = new Map<Address, Opening>()

  constructor(components: { readonly randomness: Randomness }) {
    this.#randomness = components.randomness
  }

  /**
   * The turn of the next request to that peer. Without a session, `greet` asks the peer for the name of its start; all
   * who want one meanwhile wait for the same answer.
   * @throws whatever `greet` throws; the reason of `signal`.
   */
  async next(peer: Address, greet: () => Promise<string>, signal?: AbortSignal): Promise<Turn> {
    const open = this.#open.get(peer) ?? this.#begin(peer, greet)
    const session = open.session ?? (await unlessAborted(open.opened, signal))
    return { to: session.to, turn: `${session.sender}.${++session.turns}` }
  }

  /** The peer may have started anew; with `turn`, only when that one belongs to the session that is kept. */
  drop(peer: Address, turn?: Turn): void {
    const session = this.#open.get(peer)?.session
    // Many requests find out at once, and one of them may have greeted the peer again already.
    if (turn === undefined || (session !== undefined && turn.turn.startsWith(`${session.sender}.`)))
      this.#open.delete(peer)
  }

  #begin(peer: Address, greet: () => Promise<string>): Opening {
    if (this.#open.size >= SESSIONS_MAX) {
      const oldest = this.#open.keys().next().value
      if (oldest !== undefined) this.#open.delete(oldest)
    }
    const sender = drawName(this.#randomness)
    const open: Opening = { opened: greet().then(to => ({ to, sender, turns: 0 })) }
    this.#open.set(peer, open)
    open.opened.then(
      session => {
        open.session = session
      },
      () => {
        if (this.#open.get(peer) === open) this.#open.delete(peer)
      },
    )
    return open
  }
}

function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = () =>
      reject(
        signal.reason instanceof Error ? signal.reason : new StoreError('UNAVAILABLE', 'No longer wanted.'),
      )
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
