import t from 'tap'
import { StoreError } from '../../src/errors.ts'
import { Copies, type CopiesComponents } from '../../src/operations/copies.ts'

const NETWORK = { networkId: 'n', replicas: 3, minReplicas: 2, virtualNodes: 1 }

t.test('a node whose disk is full can not keep what the network has agreed on, and goes on', async t => {
  const warned: unknown[] = []
  const told: unknown[] = []
  const copies = new Copies({
    env: { log: { warn: (fields: object) => warned.push(fields) } },
    network: {
      now: NETWORK,
      take: async () => {
        throw new StoreError('DISK_FULL', 'No space is left.')
      },
    },
    askEach: async (asked: unknown) => told.push(asked),
  } as unknown as CopiesComponents)
  const newer = { ...NETWORK, replicas: 5, revision: 1 }
  await copies.agree([['other' as never, { record: {} as never, network: newer }]])
  t.match(warned, [{ op: 'configure', err: { code: 'DISK_FULL' } }])
  t.same(told, [], 'nobody is told what it does not have')
})

t.test('who does not answer is told of a configuration by some who do', async t => {
  const asked: unknown[] = []
  const others = ['a', 'b', 'c', 'd', 'e'].map(nodeId => ({ nodeId, address: `${nodeId}:1` }))
  let { retired }: { retired?: readonly string[] } = {}
  const copies = new Copies({
    env: { log: { info: () => undefined } },
    members: { others: () => others },
    network: {
      now: NETWORK,
      take: async (network: { retired?: readonly string[] }) => ({ retired } = network),
    },
    askEach: async (call: object, nodes = others) => {
      asked.push([call, nodes.map(({ nodeId }) => nodeId).join('')])
      const isThere = ({ nodeId }: { nodeId: string }) => nodeId !== 'b'
      return {
        answers: nodes.filter(isThere).map(({ nodeId }) => [nodeId, {}]),
        silent: nodes.filter(one => !isThere(one)),
      }
    },
  } as unknown as CopiesComponents)
  const silent = await copies.retire('x' as never)
  t.same(retired, ['x'])
  t.same(
    silent.map(({ nodeId }) => nodeId),
    ['b'],
  )
  const network = { ...NETWORK, retired: ['x'] }
  t.same(asked, [
    [{ kind: 'configure', network }, 'abcde'],
    [{ kind: 'configure', network, onward: ['b'] }, 'acd'],
  ])
})
