import t from 'tap'
import { encode } from '../../src/peer/wire.ts'
import { nodeUnderTest, openSockets, rawLink, seen } from './link-under-test.ts'

t.test('a million frames of a sender that never reads leave little behind', { timeout: 200_000 }, async t => {
  const node = await nodeUnderTest(t)
  const link = await rawLink(t, node)
  link.socket.pause()
  const message = [encode({ text: 'x' })]
  const FRAMES = 1_000_000
  const TOGETHER = 1000
  let waitingMost = 0
  for (let sent = 0; sent < FRAMES; sent += TOGETHER) {
    const frames = Array.from({ length: TOGETHER }, () => link.writer.frame('messages', message))
    if (!link.socket.write(Buffer.concat(frames)))
      await new Promise(resolve => link.socket.once('drain', resolve))
    if (sent % 100_000 !== 0) continue
    const waiting = (await openSockets(node.app.server)).map(socket => socket.writableLength)
    waitingMost = Math.max(waitingMost, ...waiting)
  }
  await seen('all of them', () => node.received.length === FRAMES)
  t.ok(waitingMost < 4 * 1024 * 1024, `${waitingMost} bytes wait`)
})
