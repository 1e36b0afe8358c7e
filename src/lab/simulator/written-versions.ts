/**
 * Every version that was written in a world of the eventual model, and what became of it: replaced by somebody who had seen it, or of a fate that only a
 * disk knew that was lost.
 */
import { covers, type Dot, dotName, joinSeen, type Seen } from '../../replication/eventual/dot.ts'
import { type EventualRecord, merge } from '../../replication/eventual/eventual-record.ts'
import type { PathName } from '../../ring/path-name.ts'
import { recordsOn, type Seat } from './eventual-place.ts'

export class WrittenVersions {
  readonly #broken: (what: string) => Error
  /** Names of versions, with the requests that wrote them. */
  readonly #written = new Map<string, string>()
  readonly #dots = new Map<string, { readonly dot: Dot; readonly path: PathName }>()
  readonly #replaced = new Set<string>()
  /** What any node was noted to have seen of a path. */
  readonly #seen = new Map<PathName, Seen>()
  readonly #unknown = new Set<string>()

  constructor({ broken }: { readonly broken: (what: string) => Error }) {
    this.#broken = broken
  }

  /** A record changes on a disk: which versions come into being, and which of them are replaced by somebody who has seen them. */
  note(
    place: Pick<Seat, 'node' | 'accepting'>,
    was: EventualRecord | undefined,
    is: EventualRecord | undefined,
  ): void {
    const before = new Set(was?.outcomes.map(({ request }) => request))
    const removal = is?.outcomes.find(
      ({ request, file }) => file === undefined && !before.has(request) && place.accepting.has(request),
    )
    const { actor } = place.node?.replica.table.minting ?? {}
    const added = is?.siblings.find(({ dot }) => dot.actor === actor && !this.#written.has(dotName(dot)))
    for (const { dot, request } of is?.siblings ?? [])
      if ((this.#written.get(dotName(dot)) ?? request) !== request)
        throw this.#broken(`two writes are named ${dotName(dot)}`)
    if (is === undefined) return
    const seen = this.#seen.get(is.path) ?? []
    this.#seen.set(is.path, joinSeen(seen, is.seen))
    // It was durable, and others may have replaced it, before its node noticed that.
    if (added !== undefined && covers(seen, added.dot)) this.#unknown.add(dotName(added.dot))
    if ((removal ?? added) === undefined) return
    if (removal !== undefined) place.accepting.delete(removal.request)
    if (added !== undefined) this.#written.set(dotName(added.dot), added.request)
    const left = new Set(is.siblings.map(({ dot }) => dotName(dot)))
    for (const { dot } of was?.siblings ?? []) if (!left.has(dotName(dot))) this.#replaced.add(dotName(dot))
    // Also what others had, and told this node of.
    for (const [name, { dot, path }] of this.#dots) {
      const isSeenNow = path === is.path && covers(is.seen, dot) && !(was && covers(was.seen, dot))
      if (isSeenNow && !left.has(name)) this.#replaced.add(name)
    }
    if (added !== undefined) this.#dots.set(dotName(added.dot), { dot: added.dot, path: is.path })
  }

  /**
   * A change was on its way to the disk when the process ended, and came to be durable. Its client was not told of it: what it has replaced may stand or not.
   * The same holds for what it has added: others may have seen it and replaced it since.
   */
  survived(was: EventualRecord | undefined, is: EventualRecord): void {
    const left = new Set(is.siblings.map(({ dot }) => dotName(dot)))
    const isSeenNow = (dot: Dot) => covers(is.seen, dot) && !(was && covers(was.seen, dot))
    const seen = [...this.#dots.values()].flatMap(({ dot, path }) =>
      path === is.path && isSeenNow(dot) ? [dot] : [],
    )
    for (const dot of [...(was?.siblings.map(one => one.dot) ?? []), ...seen])
      if (!left.has(dotName(dot)) && !this.#replaced.has(dotName(dot))) this.#unknown.add(dotName(dot))
    for (const { dot, request } of is.siblings) {
      if (this.#written.has(dotName(dot))) continue
      this.#written.set(dotName(dot), request)
      this.#unknown.add(dotName(dot))
    }
  }

  /** A disk is lost: with it versions that stand nowhere else, and that others were replaced. */
  lose(lost: Pick<Seat, 'store'>, paths: readonly PathName[], places: readonly Pick<Seat, 'store'>[]): void {
    for (const path of paths) {
      const others = places
        .filter(place => place !== lost)
        .flatMap(place => recordsOn(place).filter(record => record.path === path))
      const left = others.reduce<EventualRecord | undefined>(
        (all, one) => (all ? merge(all, one) : one),
        undefined,
      )
      const standing = new Set(left?.siblings.map(({ dot }) => dotName(dot)))
      for (const dot of standing) if (this.#replaced.has(dot)) this.#unknown.add(dot)
      const here = recordsOn(lost).find(record => record.path === path)
      // What nobody else knows to be replaced may still be on its way to somebody.
      for (const [name, one] of this.#dots) {
        const isKnownHere = one.path === path && here !== undefined && covers(here.seen, one.dot)
        if (isKnownHere && !(left && covers(left.seen, one.dot))) this.#unknown.add(name)
      }
      for (const { dot } of here?.siblings ?? [])
        if (!standing.has(dotName(dot)) && !(left && covers(left.seen, dot))) this.#unknown.add(dotName(dot))
    }
  }

  /**
   * When all is at rest.
   * @param standing names of the versions that stand. @param hadTooMany some have gone because a path had too many.
   * @throws the error of a version that came back, or is lost.
   */
  judge(standing: ReadonlySet<string>, hadTooMany: boolean): void {
    for (const dot of this.#replaced)
      if (standing.has(dot) && !this.#unknown.has(dot)) throw this.#broken(`${dot} came back`)
    const isKnown = (dot: string) => standing.has(dot) || this.#replaced.has(dot) || this.#unknown.has(dot)
    // What two nodes have accepted for one request is one version.
    const requests = new Set([...this.#written].filter(([dot]) => isKnown(dot)).map(([, request]) => request))
    for (const [dot, request] of this.#written)
      if (!isKnown(dot) && !requests.has(request) && !hadTooMany)
        throw this.#broken(`${dot} is lost, and nobody has replaced it`)
  }
}
