/**
 * A client that goes on while the nodes of a network are restarted one after the other: nothing that it asks may fail for good.
 */
import { setTimeout as delay } from 'node:timers/promises'

/** Between two tries of a client, ms. */
const RETRY_MS = 100

export async function answerOf(url: string, init?: RequestInit) {
  const reply = await fetch(url, init)
  return { ok: reply.ok, status: reply.status, text: await reply.text() }
}

/** A client that writes files one after the other and reads each back, at a node that is up; it tries until it succeeds. */
export function rollingLoad(urls: () => readonly string[]) {
  const written: string[] = []
  let stopping = false
  const insist = async (path: string, init?: RequestInit): Promise<string> => {
    for (let tries = 0; ; tries++) {
      const up = urls()
      const url = `${up[(written.length + tries) % up.length]}/${path}`
      const reply = await answerOf(url, init).catch(() => undefined)
      if (reply?.ok) return reply.text
      // Nodes that stop or come back refuse for a moment; anything else no client should see.
      if (reply !== undefined && reply.status !== 503) throw new Error(`${url}: ${reply.text}`)
      await delay(RETRY_MS)
    }
  }
  const run = (async () => {
    while (!stopping) {
      const path = `upgrade/${written.length}`
      await insist(`put/${path}?overwrite=true`, { method: 'PUT', body: path })
      const got = await insist(`get/${path}`)
      if (got !== path) throw new Error(`${path} has become ${got}`)
      written.push(path)
    }
  })()
  const end = () => {
    stopping = true
    return run
  }
  const failed = run.catch((error: unknown) => error)
  /** Resolves when twenty more files were written and read. */
  const progress = async () => {
    const goal = written.length + 20
    while (written.length < goal) {
      const ended = await Promise.race([failed, delay(RETRY_MS, 'running')])
      if (ended !== 'running') throw ended ?? new Error('The client has ended.')
    }
  }
  return { written, end, progress }
}
