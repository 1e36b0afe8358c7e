import t from 'tap'
import { digestOf } from '../../src/storage/body-digest.ts'
import { StagedBodies } from '../../src/storage/staged-bodies.ts'

const body = { ...digestOf(Buffer.from('x')), content: { inline: Buffer.from('x') } }

const staged = (bodies: StagedBodies) => bodies.receive({ sizeMax: 5 }, async () => body)

t.test('a body is handed over or dropped, once', async t => {
  const bodies = new StagedBodies()
  const [first, second] = [await staged(bodies), await staged(bodies)]
  t.not(first.stageId, second.stageId)
  t.equal(bodies.count, 2)
  bodies.handOver(first)
  t.throws(() => bodies.handOver(first), TypeError)
  t.throws(() => bodies.drop(first), TypeError)
  t.equal(bodies.drop(second), true)
  t.equal(bodies.drop(second), false)
  t.throws(() => bodies.handOver({ ...second }), TypeError, 'a look-alike is not staged here')
  t.equal(bodies.count, 0)
})

t.test('a receipt counts while it runs and ends with the signal of its caller', async t => {
  const bodies = new StagedBodies()
  const controller = new AbortController()
  const staging = bodies.receive({ sizeMax: 5, signal: controller.signal }, async ({ sizeMax, signal }) => {
    t.equal(sizeMax, 5)
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    return body
  })
  t.equal(bodies.count, 1)
  controller.abort(new Error('enough'))
  await t.rejects(staging, { message: 'enough' })
  t.equal(bodies.count, 0)
  await t.rejects(
    bodies.receive({ sizeMax: 5, signal: controller.signal }, () =>
      Promise.reject(new TypeError('it must not start')),
    ),
    { message: 'enough' },
  )
})

t.test('closing waits for receipts to end and hands over what is left', async t => {
  const bodies = new StagedBodies()
  const left = await staged(bodies)
  let ended = false
  const staging = bodies.receive({ sizeMax: 5 }, async ({ signal }) => {
    await new Promise(resolve => signal.addEventListener('abort', resolve))
    await new Promise(resolve => setImmediate(resolve))
    ended = true
    return body
  })
  const refused = t.rejects(staging, { code: 'UNAVAILABLE' })
  t.same(await bodies.close(), [left])
  t.ok(ended)
  await refused
  t.throws(() => bodies.assertOpen(), { code: 'UNAVAILABLE' })
})
