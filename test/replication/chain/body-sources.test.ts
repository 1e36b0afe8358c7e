import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { StoreError } from '../../../src/errors.ts'
import { BodySources, type WantedBytes } from '../../../src/replication/chain/body-sources.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { NodeId } from '../../../src/views/view.ts'
import { manualEnv } from '../../manual-env.ts'
import { node } from './bench.ts'

const blobId = 'b'.repeat(32) as BlobId

type Given = 'all' | 'silence' | 'nothing' | 'half'

/** Nodes `0`, `1` and so on, that give a body in these ways. */
function sourcesOf(given: Given[]) {
  const env = manualEnv()
  const asked: [NodeId, WantedBytes][] = []
  const sources = new BodySources({
    clock: env.clock,
    holders: () => given.map((_, index) => node(`${index}`)),
    pullBody: async (name, _blobId, wanted) => {
      asked.push([name, wanted])
      const way = given[Number(name)] as Given
      if (way === 'silence') throw new StoreError('UNAVAILABLE', 'silent')
      if (way === 'nothing') throw new StoreError('FILE_NOT_FOUND', 'gone')
      async function* pieces() {
        yield 'one '
        // As the connection says it, which knows nothing of the errors of this program.
        if (way === 'half') throw Object.assign(new Error('body timeout'), { code: 'UND_ERR_BODY_TIMEOUT' })
        yield 'two'
      }
      return Readable.from(pieces(), { objectMode: false })
    },
  })
  const taken: string[] = []
  const take = async (bytes: Readable) => void taken.push(await text(bytes))
  return { env, sources, asked, taken, take }
}

const names = (asked: [NodeId, WantedBytes][]) => asked.map(([name]) => name)

t.test('a body comes from the next node when one is silent, is without, or stops in the middle', async t => {
  const { sources, asked, taken, take } = sourcesOf(['silence', 'nothing', 'half', 'all'])
  await sources.takeWhole(undefined, blobId, take)
  t.same(taken, ['one two'])
  t.same(
    asked.map(([name, { first, isLastHope }]) => [name, first, isLastHope]),
    [
      ['0', 0, false],
      ['1', 0, false],
      ['2', 0, false],
      ['3', 0, true],
    ],
  )
})

t.test('who was silent or stopped in the middle is asked last for a while', async t => {
  const { env, sources, asked, take } = sourcesOf(['silence', 'nothing', 'half', 'all'])
  await sources.takeWhole(undefined, blobId, take)
  asked.length = 0
  await sources.takeWhole(undefined, blobId, take)
  t.same(names(asked), ['1', '3'])
  t.same(sources.of(undefined), ['1', '3', '0', '2'])
  await env.advance(30_000)
  t.same(sources.of(undefined), ['0', '1', '2', '3'])
})

t.test('what nobody gives is gone when all say so, and else out of reach', async t => {
  const { take } = sourcesOf([])
  const outcome = (given: Given[], without?: string) =>
    sourcesOf(given).sources.takeWhole(undefined, blobId, take, without as NodeId)
  await t.rejects(outcome([]), { code: 'FILE_NOT_FOUND' })
  await t.rejects(outcome(['nothing', 'nothing']), { code: 'FILE_NOT_FOUND' })
  await t.rejects(outcome(['nothing', 'silence']), { code: 'UNAVAILABLE' })
  await t.rejects(outcome(['nothing', 'half']), { code: 'UNAVAILABLE' })
  await t.rejects(outcome(['all'], '0'), { code: 'FILE_NOT_FOUND' }, 'that one has said it')
})

t.test('a disk that takes no bytes is no fault of the node that sends them', async t => {
  const { sources, asked } = sourcesOf(['all', 'all'])
  const full = new StoreError('DISK_FULL', 'full')
  await t.rejects(
    sources.takeFrom(node('0'), blobId, false, () => Promise.reject(full)),
    { code: 'DISK_FULL' },
  )
  const defect = new TypeError('a defect')
  await t.rejects(
    sources.takeWhole(undefined, blobId, () => Promise.reject(defect)),
    defect,
  )
  t.equal(asked.length, 2)
  t.same(sources.of(undefined), ['0', '1'])
})
