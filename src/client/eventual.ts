/**
 * What only a network with eventual consistency has: versions that stand beside each other, and nodes that are given up.
 */
import { type PathName, parsePathName } from '../ring/path-name.ts'
import type { CallOptions } from './call-options.ts'
import { signalOf, type WireRequest } from './exchange.ts'
import { jsonOf } from './reply.ts'
import { encodePath } from './request-parts.ts'
import type { Transport } from './transport.ts'
import type { FileVersion } from './wire-types.ts'

export class EventualCalls {
  readonly #send: Transport['send']

  constructor(init: { readonly send: Transport['send'] }) {
    this.#send = init.send
  }

  /**
   * Says that a node never comes back, in a network with eventual consistency; gives who could not be told yet.
   * @throws StoreError INVALID_REQUEST (no such node, or it is there), and those of every call.
   */
  async retire(node: string, options: CallOptions = {}): Promise<{ readonly missed: readonly string[] }> {
    const target = `/retire?node=${encodeURIComponent(node)}`
    const request: WireRequest = { method: 'POST', target, ...signalOf(options) }
    return (await this.#send(request, jsonOf)) as { readonly missed: readonly string[] }
  }

  /**
   * The versions of a path that stand beside each other, the one that `get` gives first; more than one only with eventual consistency.
   * @throws StoreError FILE_NOT_FOUND, INVALID_PATH, and those of every call.
   */
  async versions(path: string, options: CallOptions = {}): Promise<readonly FileVersion[]> {
    const name: PathName = parsePathName(path)
    const target = `/get/${encodePath(name)}?versions`
    const request: WireRequest = { method: 'GET', target, path: name, ...signalOf(options) }
    return ((await this.#send(request, jsonOf)) as { versions: FileVersion[] }).versions
  }
}
