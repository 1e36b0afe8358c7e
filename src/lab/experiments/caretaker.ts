/**
 * A process that outlives this one, to clean up when this one is killed and can't: it ends the nodes that were started and removes their
 * folder. It finds out by its standard input, which the system closes whatever becomes of this process.
 */
import { type ChildProcess, spawn } from 'node:child_process'

/** In plain JavaScript, for a Node that loads nothing else. Waits until the nodes are gone: they write into the folder. */
const PROGRAM = `
const { rmSync } = require('node:fs')
const pids = new Set()
let folder, text = ''
const isThere = pid => { try { return process.kill(pid, 0) } catch { return false } }
process.on('SIGINT', () => {}).on('SIGTERM', () => {})
process.stdin.setEncoding('utf8').on('data', some => {
  const lines = (text + some).split('\\n')
  text = lines.pop()
  for (const line of lines) {
    const [word, value] = JSON.parse(line)
    if (word === 'folder') folder = value
    if (word === 'started') pids.add(value)
    if (word === 'ended') pids.delete(value)
  }
}).on('close', () => {
  for (const pid of pids) if (isThere(pid)) process.kill(pid, 'SIGKILL')
  const finish = tries => {
    if (tries > 0 && [...pids].some(isThere)) return setTimeout(finish, 50, tries - 1)
    if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  finish(200)
})`

export class Caretaker {
  readonly #process: ChildProcess

  constructor() {
    // A group of its own: what is sent to the group of this process does not end it.
    this.#process = spawn(process.execPath, ['-e', PROGRAM], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#process.unref()
    // Without it, a kill leaves the nodes behind; the experiment itself goes on.
    this.#process.on('error', () => {})
    this.#process.stdin?.on('error', () => {})
  }

  /** Is removed in the end. */
  keeps(folder: string): void {
    this.#say('folder', folder)
  }

  started(pid: number): void {
    this.#say('started', pid)
  }

  ended(pid: number): void {
    this.#say('ended', pid)
  }

  /** Resolves when nothing is left. */
  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#process
    if (this.#process.pid === undefined || exitCode !== null || signalCode !== null) return
    const ended = new Promise(resolve => this.#process.once('close', resolve))
    this.#process.ref()
    this.#process.stdin?.end()
    await ended
  }

  #say(word: 'folder' | 'started' | 'ended', value: string | number): void {
    this.#process.stdin?.write(`${JSON.stringify([word, value])}\n`)
  }
}
