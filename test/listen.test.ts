import { createServer } from 'node:net'
import t from 'tap'
import { addressOf, freePort, listening } from '../src/listen.ts'

t.test('addresses have brackets where they need them', async t => {
  t.equal(addressOf('127.0.0.1', 5000), '127.0.0.1:5000')
  t.equal(addressOf('::1', 5000), '[::1]:5000')
})

t.test('a port that is free, and one that is not', async t => {
  const port = await freePort('127.0.0.1')
  const server = createServer()
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  const again = createServer()
  const listen = () =>
    new Promise<void>((resolve, reject) => again.once('error', reject).listen(port, '127.0.0.1', resolve))
  await t.rejects(listening('127.0.0.1', port, listen, '--s3-port'), {
    code: 'UNAVAILABLE',
    message: `The node can't listen: 127.0.0.1:${port} is in use by another program; choose another port with --s3-port.`,
  })
})
