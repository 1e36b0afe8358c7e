/**
 * Which views a node may serve as far as its disk knows: a crash takes back what is not durable, so nothing that
 * depends on a view is shown before the view is.
 */
import { serves } from '../../views/install.ts'
import type { ViewId, ViewState } from '../../views/view.ts'
import type { Write } from './machine-state.ts'

export class DurableViews {
  readonly #serving = new Set<ViewId>()

  /** @param views as the disk has them. */
  constructor(views: ReadonlyMap<ViewId, ViewState> = new Map()) {
    for (const [id, state] of views) this.#note(id, state)
  }

  /** These writes, in their order, are durable now. */
  apply(writes: readonly Write[]): void {
    for (const write of writes) if (write.kind === 'view') this.#note(write.id, write.state)
  }

  /** Whether a view would serve after a crash at this moment. */
  serves(id: ViewId | undefined): boolean {
    return id !== undefined && this.#serving.has(id)
  }

  #note(id: ViewId, state: ViewState | undefined): void {
    if (state !== undefined && serves(state)) this.#serving.add(id)
    else this.#serving.delete(id)
  }
}
