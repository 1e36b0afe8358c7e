/**
 * The links between the nodes of a test network, so that they can be cut: a TCP proxy for each ordered pair of nodes,
 * which carries the connections that the first opens to the second. It needs no rights and works on every system.
 *
 * A link is directed, as packets are. A silent link from A to B holds back every byte from A to B, whoever opened the
 * connection: B executes nothing more that A asks, and A's answers do not come back, while B's requests still arrive. The
 * bytes are delivered late, when the link is whole again, as TCP would repeat them. A refusing link resets the
 * connections that A opens to B, as a firewall does.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export type Cut = 'refuse' | 'silence'

type LinkState = 'open' | Cut

const PRELOAD = new URL('./links-preload.js', import.meta.url).href

/** One direction between two nodes. */
class Link {
  state: LinkState = 'open'
  /** Connections that were reset, and stretches of bytes that were held back. */
  blocked = 0
  /** Called whenever the state has changed. */
  readonly listeners = new Set<() => void>()

  become(state: LinkState): void {
    this.state = state
    for (const changed of [...this.listeners]) changed()
  }
}

export class Links {
  readonly #links = new Map<string, Link>()
  readonly #servers = new Map<string, Server>()
  readonly #sockets = new Set<Socket>()
  readonly #addresses: readonly string[]

  private constructor(addresses: readonly string[]) {
    this.#addresses = addresses
  }

  /** Links between all nodes that will listen at these addresses. Close them. */
  static async open(addresses: readonly string[]): Promise<Links> {
    const links = new Links(addresses)
    for (const [from, to] of links.#pairs()) links.#links.set(keyOf(from, to), new Link())
    await Promise.all(links.#pairs().map(([from, to]) => links.#listen(from, to)))
    return links
  }

  /** What the node at `address` has to be started with to reach the others through its links. */
  startOptions(address: string): {
    readonly nodeFlags: readonly string[]
    readonly environment: Readonly<Record<string, string>>
  } {
    const proxies = this.#addresses
      .filter(to => to !== address)
      .map(to => [to, this.#port(address, to)] as const)
    return {
      nodeFlags: ['--import', PRELOAD],
      environment: { TEST_LINKS: JSON.stringify(Object.fromEntries(proxies)) },
    }
  }

  /** Cuts one direction. */
  cut(from: string, to: string, how: Cut): void {
    this.#link(from, to).become(how)
  }

  isOpen(from: string, to: string): boolean {
    return this.#link(from, to).state === 'open'
  }

  /** Makes one direction whole. */
  mend(from: string, to: string): void {
    this.#link(from, to).become('open')
  }

  /** How often cut links have stopped something so far: connections reset, stretches of bytes held back. */
  get blocked(): number {
    return [...this.#links.values()].reduce((sum, { blocked }) => sum + blocked, 0)
  }

  /** Makes every link whole. */
  restore(): void {
    for (const link of this.#links.values()) if (link.state !== 'open') link.become('open')
  }

  async close(): Promise<void> {
    const servers = [...this.#servers.values()]
    const closed = servers.map(server => new Promise(resolve => server.close(resolve)))
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
  }

  #pairs(): [from: string, to: string][] {
    return this.#addresses.flatMap(from =>
      this.#addresses.filter(to => to !== from).map(to => [from, to] as [string, string]),
    )
  }

  #link(from: string, to: string): Link {
    const link = this.#links.get(keyOf(from, to))
    if (link === undefined) throw new Error(`there is no link from ${from} to ${to}`)
    return link
  }

  async #listen(from: string, to: string): Promise<void> {
    const [there, back] = [this.#link(from, to), this.#link(to, from)]
    const server = createServer({ allowHalfOpen: true }, near => {
      if (there.state === 'refuse') {
        there.blocked++
        near.resetAndDestroy()
        return
      }
      const [host, port] = to.split(':') as [string, string]
      const far = connect({ host, port: Number(port), allowHalfOpen: true })
      this.#keep(near)
      this.#keep(far)
      carry(near, far, there)
      carry(far, near, back)
      resetWhenRefused(near, far, there)
    })
    this.#servers.set(keyOf(from, to), server)
    server.listen({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
  }

  #port(from: string, to: string): number {
    const server = this.#servers.get(keyOf(from, to))
    if (server === undefined) throw new Error(`there is no link from ${from} to ${to}`)
    return (server.address() as AddressInfo).port
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

function keyOf(from: string, to: string): string {
  return `${from} ${to}`
}

/** Carries the bytes of one direction, and the end of the connection after them, while the link is not silent. */
function carry(source: Socket, target: Socket, link: Link): void {
  let wasSilent = false
  const flow = () => {
    if (wasSilent && link.state !== 'silence' && (source.readableLength > 0 || source.destroyed))
      link.blocked++
    wasSilent = link.state === 'silence'
    if (link.state === 'silence' || target.writableNeedDrain) source.pause()
    else source.resume()
    if (source.destroyed && link.state !== 'silence') end()
  }
  const end = () => {
    link.listeners.delete(flow)
    // A reset that comes after the end of the bytes would take back what has not been read yet.
    if (source.readableEnded) target.end()
    else target.resetAndDestroy()
  }
  link.listeners.add(flow)
  source.on('data', chunk => {
    if (!target.write(chunk)) source.pause()
  })
  target.on('drain', flow)
  source.on('end', () => target.end())
  source.on('error', () => undefined)
  source.on('close', flow)
  flow()
}

function resetWhenRefused(near: Socket, far: Socket, link: Link): void {
  const check = () => {
    if (link.state !== 'refuse') return
    link.blocked++
    near.resetAndDestroy()
    far.resetAndDestroy()
  }
  link.listeners.add(check)
  near.once('close', () => link.listeners.delete(check))
}
