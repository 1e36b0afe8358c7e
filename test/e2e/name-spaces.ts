/**
 * Machines of their own for processes, without containers: a network namespace each, with an address and the names
 * of the others, joined by a bridge in a namespace of its own, so that no rule of this machine's firewall is between them.
 */
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Why there can be no namespaces here; undefined when there can. */
export function whyNoNameSpaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const name = `ac-probe-${process.pid}`
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' })
    execFileSync('ip', ['netns', 'exec', name, 'true'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no network namespaces can be made here (ip netns)'
  } finally {
    try {
      execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' })
    } catch {
      // It was never made.
    }
  }
}

export class NameSpaces {
  readonly #prefix = `ac${randomBytes(3).toString('hex')}`
  /** Of 198.18.0.0/15, which RFC 2544 sets aside for tests of networks. */
  readonly #subnet = `198.18.${randomInt(256)}`
  readonly #names: readonly string[]

  private constructor(names: readonly string[]) {
    this.#names = names
  }

  /** Makes a machine for each name; this process reaches them by their addresses, they each other by name. Close it. */
  static async open(names: readonly string[]): Promise<NameSpaces> {
    const spaces = new NameSpaces(names)
    try {
      await spaces.#make()
      return spaces
    } catch (error) {
      await spaces.close()
      throw error
    }
  }

  addressOf(name: string): string {
    return `${this.#subnet}.${this.#names.indexOf(name) + 1}`
  }

  /** What goes before a program and its arguments, so that it runs on that machine, as the same process. */
  commandOf(name: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#space(name)]
  }

  /** Removes the machines; whatever still runs there has lost its network. */
  async close(): Promise<void> {
    // A namespace takes the links within it along, and their other ends.
    for (const name of [...this.#names, HUB]) {
      await run('ip', ['netns', 'delete', this.#space(name)]).catch(() => undefined)
      await rm(`/etc/netns/${this.#space(name)}`, { recursive: true, force: true })
    }
  }

  #space(name: string): string {
    return `${this.#prefix}-${name}`
  }

  async #make(): Promise<void> {
    const [hub, endpoint] = [this.#space(HUB), `${this.#prefix}-end`]
    await this.#ip(`netns add ${hub}`)
    await this.#ip(`-n ${hub} link add bridge type bridge`)
    await this.#ip(`-n ${hub} link set bridge up`)
    await this.#ip(`link add ${endpoint} type veth peer name endpoint netns ${hub}`)
    await this.#ip(`-n ${hub} link set endpoint master bridge up`)
    await this.#ip(`address add ${this.#subnet}.254/24 dev ${endpoint}`)
    await this.#ip(`link set ${endpoint} up`)
    const hosts = ['127.0.0.1 localhost', ...this.#names.map(name => `${this.addressOf(name)} ${name}`)]
    for (const [index, name] of this.#names.entries()) {
      const space = this.#space(name)
      await mkdir(`/etc/netns/${space}`, { recursive: true })
      await writeFile(`/etc/netns/${space}/hosts`, `${hosts.join('\n')}\n`)
      // A name that nobody has is unknown at once, instead of being asked for in vain.
      await writeFile(`/etc/netns/${space}/nsswitch.conf`, 'hosts: files\n')
      await this.#ip(`netns add ${space}`)
      await this.#ip(`link add eth0 netns ${space} type veth peer name port${index} netns ${hub}`)
      await this.#ip(`-n ${hub} link set port${index} master bridge up`)
      await this.#ip(`-n ${space} address add ${this.addressOf(name)}/24 dev eth0`)
      await this.#ip(`-n ${space} link set lo up`)
      await this.#ip(`-n ${space} link set eth0 up`)
    }
  }

  async #ip(words: string): Promise<void> {
    await run('ip', words.split(' '))
  }
}

const HUB = 'hub'
