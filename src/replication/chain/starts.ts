/**
 * The note of a disk's starts in the store: the last one, whose nonce says which came before. It is durable before
 * anybody hears of the start. Otherwise the next one would not know of it, and others would take it for that of a restored disk.
 */
import { Packr } from 'msgpackr'
import type { Env, Randomness } from '../../env.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import { nonceOf, OWN_DIGITS, RESTARTS_MAX } from '../../views/boot.ts'
import type { Boot } from '../../views/view.ts'

const packr = new Packr({ useRecords: false })

const START = 'start'

/** Notes that the disk was started for the `diskBoot`th time. On a full disk a start goes unnoted: its count has to do. */
export async function noteStart(
  { store, env }: { readonly store: ReplicaStore; readonly env: Pick<Env, 'randomness' | 'log'> },
  diskBoot: number,
): Promise<void> {
  const values = [startValue({ store, env }, diskBoot)]
  try {
    await store.apply({ records: [], values, keepBlobs: [], dropBlobs: [] })
  } catch (error) {
    env.log.warn({ op: 'start', err: error }, 'the start was not noted on the disk')
  }
}

/** What is written of a start. */
export function startValue(
  { store, env }: { readonly store: Pick<ReplicaStore, 'values'>; readonly env: Pick<Env, 'randomness'> },
  diskBoot: number,
): readonly [key: string, value: Uint8Array] {
  const nonce = nonceOf(drawnNonce(env.randomness), diskBoot, lastStart(store))
  const boot: Boot = { counter: diskBoot * RESTARTS_MAX, nonce }
  return [START, packr.pack(boot)]
}

/** The start that was noted last. */
export function lastStart(store: Pick<ReplicaStore, 'values'>): Boot | undefined {
  const [value] = [...store.values(START)].filter(([key]) => key === START)
  return value?.[1] === undefined ? undefined : (packr.unpack(value[1]) as Boot)
}

/** A nonce that says nothing of earlier starts. */
export function drawnNonce(randomness: Randomness): string {
  return Buffer.from(randomness.bytes(OWN_DIGITS / 2)).toString('hex')
}
