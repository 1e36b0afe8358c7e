import t from 'tap'
import { StoreError } from '../../../src/errors.ts'
import {
  type BodyDistributionComponents,
  distribute,
} from '../../../src/replication/chain/body-distribution.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { manualEnv } from '../../manual-env.ts'

const blob = { blobId: 'b'.repeat(32) as BlobId, sha256: 's' }
const position = '0'.repeat(40) as Identifier

/** Sends a body to `b` and `c`; its way to `c` never ends, and `c` answers in that way whether it has the body. */
function distribution(answers: (number: number) => boolean | Error) {
  const env = manualEnv()
  const state = { isDone: false, asked: 0, alive: true, fetched: 0 }
  const components = {
    env,
    driver: {
      known: {
        self: 'a',
        covering: () => ({ replicas: ['a', 'b', 'c'] }),
        isAlive: (node: string) => node === 'b' || state.alive,
      },
      tellMyself: () => undefined,
    },
    carrier: {
      fetch: async () => {
        state.fetched++
      },
      push: (node: string) => (node === 'b' ? Promise.resolve() : new Promise(() => undefined)),
      leaveWays: () => undefined,
      isAwaited: async (node: string) => {
        if (node === 'b') return false
        const answer = answers(++state.asked)
        return answer instanceof Error ? false : !answer
      },
    },
  } as unknown as BodyDistributionComponents
  const done = distribute(components, blob, position, undefined).then(() => {
    state.isDone = true
  })
  return { env, state, done }
}

t.test('a replica that says nothing to the question is not waited for', async t => {
  const { env, state, done } = distribution(() => new StoreError('UNAVAILABLE', 'no answer'))
  await env.advance(999)
  t.match(state, { isDone: false, fetched: 1, asked: 0 })
  await env.advance(1)
  await done
  t.equal(state.asked, 1)
})

t.test('one that has not got the body yet is waited for, however long that takes', async t => {
  const { env, state, done } = distribution(number => number > 300)
  await env.advance(300_000)
  t.match(state, { isDone: false, asked: 300 })
  await env.advance(1_000)
  await done
  t.equal(state.asked, 301, 'it has it, though its way has not ended')
})

t.test('one that counts as dead is not waited for', async t => {
  const { env, state, done } = distribution(() => false)
  await env.advance(2_000)
  t.notOk(state.isDone)
  state.alive = false
  await env.advance(1_000)
  await done
})
