import t from 'tap'
import { refuseOtherNetwork } from '../../src/http/ring-range.ts'
import { runningNetwork, runningNode } from '../running-node.ts'

t.test('the range is said to who asks for it and does not know it', async t => {
  const { url } = await runningNode(t)
  await fetch(`${url}/put/a`, { method: 'PUT', body: 'x' })
  const { networkId } = (await (await fetch(`${url}/network`)).json()) as { networkId: string }
  const { range, replicas } = (await (await fetch(`${url}/lookup/a`)).json()) as {
    range: { lo: string; hi: string; epoch: number }
    replicas: string[]
  }
  const asked = async (endpoint: string, epoch?: string, init: RequestInit = {}) => {
    const headers = { ...(epoch !== undefined && { 'ring-epoch': epoch }) }
    const reply = await fetch(`${url}${endpoint}`, { ...init, headers })
    await reply.arrayBuffer()
    return [reply.headers.get('ring-range'), reply.headers.get('ring-network')]
  }
  const whole = [`${range.lo} ${range.hi} ${range.epoch} ${replicas.join(' ')}`, networkId]
  const nothing = [null, null]
  for (const [endpoint, init] of [
    ['/get/a', {}],
    ['/get/a', { method: 'HEAD' }],
    ['/exists/a', {}],
    ['/download/a', {}],
    ['/lookup/a', {}],
    ['/put/a?overwrite=true', { method: 'PUT', body: 'y' }],
    ['/put/a', { method: 'PUT', body: 'y' }],
    ['/remove/a', { method: 'DELETE' }],
    ['/get/a', {}],
    ['/remove/a', { method: 'DELETE' }],
  ] as const) {
    t.same(await asked(endpoint, undefined, init), nothing, `${endpoint}: a plain request is not told`)
    if (!('method' in init) || init.method !== 'DELETE') {
      t.same(await asked(endpoint, '0', init), whole, endpoint)
      t.same(await asked(endpoint, String(range.epoch - 1), init), whole, endpoint)
      t.same(await asked(endpoint, String(range.epoch), init), nothing, `${endpoint}: known already`)
    }
    t.same(await asked('/exists/a', 'nonsense'), whole)
  }
  await fetch(`${url}/put/a`, { method: 'PUT', body: 'x' })
  t.same(await asked('/remove/a', '0', { method: 'DELETE' }), whole)
  await fetch(`${url}/put/b`, { method: 'PUT', body: 'x' })
  t.match(await asked('/copy/b/a', '0', { method: 'POST' }), [/ 127\.0\.0\.1:\d+$/, networkId])
  t.same(await asked('/exists/..', '0'), nothing)
  t.same(await asked('/list', '0'), nothing)
})

t.test('a node that does not keep the path names those that do', async t => {
  const [first] = await runningNetwork(t, 2, undefined, { replicas: '1', minReplicas: '1' })
  for (let number = 0; number < 20; number++) {
    const path = `files/${number}`
    // The lookup brings the view that is in force; what the node believed before may be an older one.
    const { replicas } = (await (await fetch(`${first?.url}/lookup/${path}`)).json()) as {
      replicas: string[]
    }
    const reply = await fetch(`${first?.url}/exists/${path}`, { headers: { 'ring-epoch': '0' } })
    t.same(reply.headers.get('ring-range')?.split(' ').slice(3), replicas, path)
  }
})

t.test('without a token nobody is told', async t => {
  const { url } = await runningNode(t, { token: 'write-token' })
  const reply = await fetch(`${url}/get/a`, { headers: { 'ring-epoch': '0' } })
  t.equal(reply.status, 401)
  t.equal(reply.headers.get('ring-range'), null)
})

t.test('a request for another network is refused', async t => {
  refuseOtherNetwork({}, 'n1')
  refuseOtherNetwork({ 'ring-network': 'n1' }, 'n1')
  t.throws(() => refuseOtherNetwork({ 'ring-network': 'n2' }, 'n1'), { code: 'WRONG_NETWORK' })
  const { url } = await runningNode(t)
  const init = { method: 'PUT', body: 'x', headers: { 'ring-network': 'other' } }
  const reply = await fetch(`${url}/put/a`, init)
  t.equal(reply.status, 409)
  t.match(await reply.json(), { error: { code: 'WRONG_NETWORK' } })
  t.equal(await (await fetch(`${url}/exists/a`)).text(), 'false\n', 'nothing was written')
})
