/**
 * The bytes of large bodies on their way between nodes. The machine only speaks of bodies; whenever it says that a
 * node shall have one, the bytes go there first, and the message follows when they are durable.
 *
 * Bodies are immutable and named by their blob id, so a transfer can be repeated or left out without harm: the receiver
 * checks the SHA-256 that the sender names.
 */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { eitherSignal } from '../../either-signal.ts'
import type { Env, Timer } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { PathName } from '../../ring/path-name.ts'
import { DownloadRoom } from '../../storage/download-room.ts'
import type { BlobId, Body, FileRecord } from '../../storage/record.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import type { ByteRange, GrowingBody } from '../../storage/storage.ts'
import { lending } from '../../stream-over.ts'
import type { NodeId } from '../../views/view.ts'
import { BlockShelf } from './block-shelf.ts'
import { BodiesAhead, type SendAhead } from './bodies-ahead.ts'
import {
  BodySources,
  type BodySourcesComponents,
  type PullBody,
  type Take,
  type WantedBytes,
} from './body-sources.ts'
import type { BlobRef, Message } from './messages.ts'
import { PushedBodies } from './pushed-bodies.ts'
import { RemoteBlocks } from './remote-blocks.ts'
import { remoteStream } from './remote-pieces.ts'
import { SealedBody } from './sealed-body.ts'

/** Messages that may only arrive where the body already is. */
export type BodyMessage = Extract<Message, { kind: 'stage' | 'stage-on' | 'blob' }>

/** A body that arrived and that no view took is dropped after this time, ms. */
const UNCLAIMED_MS = 15 * 60 * 1000

/** The longest that the sender of a body that still comes in there may send nothing, ms; then it is left to `push`. */
const IDLE_MS = 60 * 1000

/** Bytes of any body here; the endpoint that the client came through has its own, lower limit. */
const BODY_BYTES_MAX = 2 ** 50

/**
 * Clients for whom a body streams in from another node; and readings at once for all others. Together they leave some of
 * the connections to one node free for everything else.
 */
const STREAMS_MAX = 12
const READS_MAX = 8

/** Blocks that wait for those others, 64 MiB. */
const WAITING_BLOCKS_MAX = 64

export interface BodyPeers {
  /** True when the node has the body. @throws StoreError UNAVAILABLE. */
  hasBody(node: NodeId, blobId: BlobId): Promise<boolean>
  /** Sends a body to a node; resolves when it is durable there. */
  pushBody(node: NodeId, blob: BlobRef, bytes: AsyncIterable<Uint8Array>): Promise<void>
  /** Sends a sealed body that still comes in here to a node, which sends it on to `onward`. */
  readonly sendAhead: SendAhead
  readonly pullBody: PullBody
}

export interface BodyCarrierComponents {
  readonly env: Env
  readonly self: NodeId
  readonly store: ReplicaStore
  readonly peers: BodyPeers
  /** Sends a message whose body has arrived at its receiver. */
  readonly send: (to: NodeId, message: Message) => void
  /** A node did not take the body of a message: if it can't do its part, somebody has to find that out. */
  readonly undelivered: (to: NodeId) => void
  /** Nobody has the body of a message. */
  readonly nowhere: (message: BodyMessage) => void
  /** Whether the machine keeps the body. */
  readonly isKept: (blobId: BlobId) => boolean
  /** A body was not stored here. */
  readonly refused: (error: unknown) => void
  readonly holders: BodySourcesComponents['holders']
}

export class BodyCarrier {
  readonly #components: BodyCarrierComponents
  readonly #pushing = new Map<string, Promise<void>>()
  readonly #pushed: PushedBodies
  readonly #ahead: BodiesAhead
  /** Bodies that come in ahead. */
  readonly #arriving = new Map<BlobId, { readonly stop: () => void; readonly ended: Promise<unknown> }>()
  readonly #unclaimed = new Map<BlobId, Timer>()
  readonly #room = new DownloadRoom({ wholeMax: STREAMS_MAX, readsMax: READS_MAX })
  readonly #shelf = new BlockShelf({ blocksMax: WAITING_BLOCKS_MAX })
  readonly #sources: BodySources

  constructor(components: BodyCarrierComponents) {
    this.#components = components
    this.#ahead = new BodiesAhead({ send: components.peers.sendAhead })
    this.#pushed = new PushedBodies(components.env)
    const { env, peers, holders } = components
    this.#sources = new BodySources({ clock: env.clock, pullBody: peers.pullBody, holders })
  }

  /** Bodies on their way to other nodes. */
  get pushing(): number {
    return this.#pushing.size + this.#ahead.count
  }

  /** Sends a body that still comes in here to these nodes; whatever does not arrive is left to `push`. */
  sendAhead(body: GrowingBody, nodes: readonly NodeId[]): Promise<void> {
    return this.#ahead.send(body, nodes, body.sha256)
  }

  /** Ends the ways of a body that lead through a node which is not wanted there; `push` finds others. */
  leaveWays(blobId: BlobId, isWanted: (node: NodeId) => boolean): void {
    this.#ahead.leaveWays(blobId, isWanted)
  }

  /**
   * Brings the body of a message to its receiver, then sends the message. Whoever has asked for a body of which no good copy is at hand
   * is told so: it may go on without it, and would ask for ever (docs/decisions/0452).
   */
  carry(to: NodeId, message: BodyMessage): void {
    void this.push(to, message.blob).then(
      () => this.#components.send(to, message),
      error => {
        const { env, self, send, nowhere, undelivered } = this.#components
        env.log.debug(
          { op: 'body.push', peer: to, blobId: message.blob.blobId, err: error },
          'body not delivered',
        )
        const code = errorCode(error)
        const isLacked = code === 'FILE_NOT_FOUND' || code === 'CORRUPT'
        if (message.kind === 'blob' && isLacked) send(to, { kind: 'blob-missing', blob: message.blob })
        else if (code === 'FILE_NOT_FOUND') nowhere(message)
        else if (to !== self) undelivered(to)
      },
    )
  }

  /**
   * Resolves when the node has the body. One transfer of a body to a node at a time.
   * @throws StoreError FILE_NOT_FOUND when nobody has it, CORRUPT when the copy here is damaged and no other came, UNAVAILABLE.
   * @param from a path whose replicas have it, in case that this node has not.
   */
  push(to: NodeId, blob: BlobRef, from?: PathName): Promise<void> {
    const name = `${to}/${blob.blobId}`
    const running = this.#pushing.get(name)
    if (running !== undefined) return running
    const push = this.#push(to, blob, from).finally(() => this.#pushing.delete(name))
    this.#pushing.set(name, push)
    return push
  }

  /**
   * Resolves when this node has the body.
   * @throws StoreError FILE_NOT_FOUND when nobody has it, UNAVAILABLE when nobody who may have it can be reached.
   */
  async fetch(blob: BlobRef, from: PathName | undefined): Promise<void> {
    const { store } = this.#components
    if (await store.hasBlob(blob.blobId)) return
    await this.#sources.takeWhole(from, blob.blobId, bytes => this.receive(blob, bytes))
  }

  /** A body from another node. @throws StoreError CORRUPT when it does not have the announced hash. */
  async receive(blob: BlobRef, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    const { store } = this.#components
    const { blobId } = blob
    let hasWaited = false
    while (!(await store.hasBlob(blobId))) {
      await this.#endReceiptAhead(blobId)
      if (this.#arriving.has(blobId)) continue
      const other = this.#pushed.outlast(blobId, signal)
      if (other === undefined) return this.#receivePushed(blob, bytes, signal)
      await other
      hasWaited = true
    }
    if (hasWaited) return
    // It is here already: the sender's bytes are let go by.
    for await (const _ of bytes);
  }

  /**
   * A body from another node that does not have all of it yet, sealed; it goes on to `onward` meanwhile. Resolves when it
   * is durable here and on its way no more.
   * @throws StoreError CORRUPT when it does not have the hash in its seal; UNAVAILABLE when it stands still, or is here.
   */
  receiveAhead(
    blobId: BlobId,
    arriving: AsyncIterable<Uint8Array>,
    onward: readonly NodeId[],
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#pushed.has(blobId))
      return Promise.reject(new StoreError('UNAVAILABLE', 'The body is being pushed here.'))
    const ending = new AbortController()
    const stop = () => ending.abort(new StoreError('UNAVAILABLE', 'The sender of a body stands still.'))
    const watched = arrivingWithin(arriving, () => this.#components.env.timers.after(IDLE_MS, stop))
    const ends = eitherSignal([signal, ending.signal])
    const receipt = this.#receiveAhead(blobId, new SealedBody(watched), onward, ends)
    const ended = receipt.then(nothing, nothing)
    const one = { stop, ended }
    this.#arriving.set(blobId, one)
    void ended.then(() => {
      ends.clear()
      if (this.#arriving.get(blobId) === one) this.#arriving.delete(blobId)
    })
    return receipt
  }

  /** Whether a body may still be on its way to a node: that one says that it has not got it. One that says nothing is not waited for. */
  async isAwaited(node: NodeId, blobId: BlobId): Promise<boolean> {
    return this.#components.peers.hasBody(node, blobId).then(
      has => !has,
      () => false,
    )
  }

  /** True when a message about a body may be given to the machine. */
  hasBody(message: BodyMessage): Promise<boolean> {
    return this.#components.store.hasBlob(message.blob.blobId)
  }

  /** The bytes of a body that is not here, from whichever holder has good ones. @throws StoreError as RemoteBlocks. */
  readElsewhere(
    record: FileRecord,
    blobId: BlobId,
    range: ByteRange,
    sawBadBlock: boolean,
  ): Promise<Readable> {
    const pull = (node: NodeId, wanted: WantedBytes) => this.#sources.pull(node, blobId, wanted)
    const holders = this.#sources.of(record.path)
    const blocks = new RemoteBlocks({ pull, holders }, { record, range, sawBadBlock })
    return remoteStream({ blocks, room: this.#room, shelf: this.#shelf }, { record, range })
  }

  /**
   * Takes a good copy of a body from another node in the place of what is here, or of nothing.
   * @throws StoreError CORRUPT or UNAVAILABLE when no node that was asked has one; whatever is here stays.
   */
  async restore(path: PathName, blob: BlobRef): Promise<void> {
    const { store, isKept } = this.#components
    let fault = new StoreError('UNAVAILABLE', 'No other node that keeps the file answers.', { path })
    const take: Take = bytes =>
      isKept(blob.blobId) ? store.replaceBlob(blob.blobId, blob.sha256, bytes) : this.receive(blob, bytes)
    const holders = this.#sources.of(path)
    for (const [index, holder] of holders.entries()) {
      try {
        return await this.#sources.takeFrom(holder, blob.blobId, index === holders.length - 1, take)
      } catch (error) {
        const code = errorCode(error)
        if (code === undefined || code === 'DISK_FULL') throw error
        if (code === 'CORRUPT') fault = error as StoreError
      }
    }
    throw fault
  }

  close(): void {
    for (const timer of this.#unclaimed.values()) timer.cancel()
    this.#unclaimed.clear()
  }

  async #push(to: NodeId, blob: BlobRef, from: PathName | undefined): Promise<void> {
    const { self, peers, store } = this.#components
    if (to === self) return this.fetch(blob, from)
    await this.#ahead.ended(to, blob.blobId)
    if (await peers.hasBody(to, blob.blobId)) return
    const push: Take = bytes => peers.pushBody(to, blob, bytes)
    const isHere = await store.hasBlob(blob.blobId)
    if (isHere && (await this.#pushOwn(blob, push))) return
    try {
      // It has just said that it has no such body.
      await this.#sources.takeWhole(from, blob.blobId, push, to)
    } catch (error) {
      if (!isHere || errorCode(error) !== 'UNAVAILABLE') throw error
      throw new StoreError('CORRUPT', 'The copy of the body here is damaged.', { cause: error })
    }
  }

  /** Sends the copy that is here; false when its receiver has refused it, and it is damaged. */
  async #pushOwn({ blobId, sha256 }: BlobRef, push: Take): Promise<boolean> {
    const { store } = this.#components
    try {
      await lending(await store.openBlob(blobId, 0), push)
      return true
    } catch (error) {
      if (errorCode(error) !== 'CORRUPT') throw error
      const hash = createHash('sha256')
      for await (const chunk of await store.openBlob(blobId, 0)) hash.update(chunk)
      if (hash.digest('hex') !== sha256) return false
      throw new StoreError('UNAVAILABLE', 'A body was damaged on its way.', { cause: error })
    }
  }

  async #receivePushed(
    blob: BlobRef,
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { blobId, sha256 } = blob
    await this.#pushed.take(blobId, bytes, signal, async (watched, ends) => {
      const stored = await this.#store(blobId, watched, { sizeMax: BODY_BYTES_MAX, signal: ends })
      this.#expire(blobId)
      if (stored.sha256 === sha256) return
      // Whoever waits goes on when this one is gone.
      await this.#drop(blobId)
      throw new StoreError('CORRUPT', 'A body arrived with another hash than announced.')
    })
  }

  async #receiveAhead(
    blobId: BlobId,
    body: SealedBody,
    onward: readonly NodeId[],
    signal: AbortSignal,
  ): Promise<void> {
    const { store } = this.#components
    if (await store.hasBlob(blobId)) throw new StoreError('UNAVAILABLE', 'The body is here already.')
    let sent: Promise<void> | undefined
    const onGrowing = (growing: GrowingBody) => {
      const sha256 = growing.sha256.then(found => body.checked(found))
      sent = this.#ahead.send(growing, onward, sha256, signal)
    }
    const options = { sizeMax: BODY_BYTES_MAX, signal, onGrowing }
    const { sha256 } = await this.#store(blobId, body.bytes(), options)
    if (!body.isWhole) throw new StoreError('UNAVAILABLE', 'The body is coming in another way.')
    this.#expire(blobId)
    try {
      body.checked(sha256)
    } catch (error) {
      await this.#drop(blobId)
      throw error
    }
    await sent
  }

  /** Who pushes a body knows that it does not arrive ahead: a node on that way may have fallen silent. */
  async #endReceiptAhead(blobId: BlobId): Promise<void> {
    const ahead = this.#arriving.get(blobId)
    ahead?.stop()
    await ahead?.ended
  }

  async #store(...receipt: Parameters<ReplicaStore['receive']>): Promise<Body> {
    const { store, refused } = this.#components
    try {
      return await store.receive(...receipt)
    } catch (error) {
      refused(error)
      throw error
    }
  }

  #expire(blobId: BlobId): void {
    const { env, isKept } = this.#components
    const timer = env.timers.after(UNCLAIMED_MS, () => {
      this.#unclaimed.delete(blobId)
      if (!isKept(blobId)) void this.#drop(blobId)
    })
    this.#unclaimed.set(blobId, timer)
  }

  async #drop(blobId: BlobId): Promise<void> {
    const { store, env } = this.#components
    this.#unclaimed.get(blobId)?.cancel()
    this.#unclaimed.delete(blobId)
    try {
      await store.apply({ records: [], values: [], keepBlobs: [], dropBlobs: [blobId] })
    } catch (error) {
      env.log.warn({ op: 'body.drop', blobId, err: error }, 'an unclaimed body is left for the next start')
    }
  }
}

function nothing(): void {}

/** The pieces of a body; a timer runs while the next one is waited for. */
async function* arrivingWithin(
  body: AsyncIterable<Uint8Array>,
  watch: () => Timer,
): AsyncGenerator<Uint8Array> {
  let timer = watch()
  try {
    for await (const piece of body) {
      timer.cancel()
      yield piece
      timer = watch()
    }
  } finally {
    timer.cancel()
  }
}

export function blobRefOf(body: Body): BlobRef | undefined {
  return 'blobId' in body.content ? { blobId: body.content.blobId, sha256: body.sha256 } : undefined
}
