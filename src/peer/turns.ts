/**
 * What makes a signed request good for one node and for once (docs/decisions/0170): the name of this start of the node,
 * which every request has to repeat, and the turns that were taken of each sender.
 *
 * No clock is compared. A name is drawn when the process starts, so what was captured before a restart, or on the way to
 * another node, names somebody else. Requests of one sender come over many connections and overtake each other; a window
 * of turns tells those that are late from those that come again, as in IPsec (RFC 4303, section 3.4.3).
 */
import type { Randomness } from '../env.ts'

/** Turns of one sender that may be under way at once, about: one that is further behind than this is refused. 2 KiB of bits. */
export const TURNS_WINDOW = 16_384

/** Senders (starts of other nodes) whose turns are kept, 8 MiB in all; one more, and this node takes another name. */
const SENDERS_MAX = 4096

/** Bytes of a name that nobody guesses and no two starts share. */
const NAME_BYTES = 16

const turnPattern = /^([0-9a-f]{32})\.(\d{1,15})$/

/** How a request fared: it is the first with its turn, it names another start, or its turn was taken before. */
export type Taken = 'first' | 'elsewhere' | 'again'

export class Turns {
  readonly #randomness: Randomness
  readonly #sendersMax: number
  readonly #senders = new Map<string, Window>()
  #start: string

  constructor(components: { readonly randomness: Randomness }, init: { readonly sendersMax?: number } = {}) {
    this.#randomness = components.randomness
    this.#sendersMax = init.sendersMax ?? SENDERS_MAX
    this.#start = drawName(this.#randomness)
  }

  /** Names this start of the node, as long as it has room for the turns of all who speak to it. */
  get start(): string {
    return this.#start
  }

  /** Takes the turn of a request whose signature is right: only those of real nodes may take room. */
  take(start: string, text: string): Taken {
    if (start !== this.#start) return 'elsewhere'
    const [, sender, turn] = turnPattern.exec(text) ?? []
    if (sender === undefined) return 'again'
    let window = this.#senders.get(sender)
    if (window === undefined) {
      if (this.#senders.size >= this.#sendersMax) {
        // Forgetting one sender would let its requests in again; under another name none of the old ones counts.
        this.#senders.clear()
        this.#start = drawName(this.#randomness)
        return 'elsewhere'
      }
      window = new Window()
      this.#senders.set(sender, window)
    }
    return window.take(Number(turn)) ? 'first' : 'again'
  }
}

/** 128 random bits as text: the name of a start, or of one who sends. */
export function drawName(randomness: Randomness): string {
  return Buffer.from(randomness.bytes(NAME_BYTES)).toString('hex')
}

class Window {
  readonly #bits = new Uint32Array(TURNS_WINDOW / 32)
  #highest = 0

  take(turn: number): boolean {
    if (turn > this.#highest) {
      if (turn - this.#highest >= TURNS_WINDOW) this.#bits.fill(0)
      else for (let between = this.#highest + 1; between < turn; between++) this.#clear(between)
      this.#highest = turn
      this.#set(turn)
      return true
    }
    if (turn <= this.#highest - TURNS_WINDOW || turn < 1) return false
    const bit = turn % TURNS_WINDOW
    if (((this.#bits[bit >>> 5] as number) >>> (bit & 31)) & 1) return false
    this.#set(turn)
    return true
  }

  #set(turn: number): void {
    const bit = turn % TURNS_WINDOW
    this.#bits[bit >>> 5] = (this.#bits[bit >>> 5] as number) | (1 << (bit & 31))
  }

  #clear(turn: number): void {
    const bit = turn % TURNS_WINDOW
    this.#bits[bit >>> 5] = (this.#bits[bit >>> 5] as number) & ~(1 << (bit & 31))
  }
}
