/**
 * A node with an S3 endpoint for the length of one test, in the test's own process and in memory.
 */
import { realEnv } from '../../src/env.ts'
import type { Flags } from '../../src/read-config.ts'
import { type RunningNode, runningNode } from '../running-node.ts'
import { type Answer, ask, KEY_ID, SECRET, type Sent, type Signing } from './s3-client.ts'

export interface S3Node extends RunningNode {
  readonly s3: string
  /** Signs, by the clock of the node, and sends. */
  readonly ask: (sent: Sent, signing?: Signing) => Promise<Answer>
  /** How far the clock of the node is ahead; of its own time nothing else is asked. */
  readonly clock: { aheadMs: number }
}

export async function s3Node(
  t: { teardown(end: () => unknown): unknown },
  flags: Flags = {},
): Promise<S3Node> {
  const env = realEnv()
  const clock = { aheadMs: 0 }
  const shifted = {
    ...env,
    clock: {
      nowMs: () => env.clock.nowMs() + clock.aheadMs,
      monotonicMs: () => env.clock.monotonicMs() + clock.aheadMs,
    },
  }
  const running = await runningNode(
    t,
    { s3Key: `${KEY_ID}:${SECRET},reader:${SECRET}:ro`, s3Port: '0', ...flags },
    shifted,
  )
  const s3 = running.node.s3Url as string
  const askNow: S3Node['ask'] = (sent, signing) =>
    ask(s3, sent, { date: new Date(shifted.clock.nowMs()), ...signing })
  return { ...running, s3, ask: askNow, clock }
}

/** A node with a bucket called `bucket`. */
export async function nodeWithBucket(
  t: { teardown(end: () => unknown): unknown },
  flags: Flags = {},
): Promise<S3Node> {
  const node = await s3Node(t, flags)
  const made = await node.ask({ method: 'PUT', path: '/bucket' })
  if (made.status !== 200) throw new Error(`the bucket was not made: ${made.text}`)
  return node
}

/** The texts of all elements of one name in a document. */
export function textsOf(document: string, name: string): string[] {
  return [...document.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(
    match => match[1] as string,
  )
}
