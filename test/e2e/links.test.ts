import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { waitFor } from './harness.ts'
import { type Cut, Links } from './links.ts'

/** Two servers that answer each line with the same in capitals, the links between them, and one connection from A to B. */
async function linked(t: Test) {
  const heard: string[] = []
  const servers = [createServer(), createServer()]
  const sockets = new Set<Socket>()
  for (const server of servers) {
    server.on('connection', socket => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('data', data => {
        heard.push(data.toString())
        socket.write(data.toString().toUpperCase())
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
  }
  const [a, b] = servers.map(server => `127.0.0.1:${(server.address() as AddressInfo).port}`) as [
    string,
    string,
  ]
  const links = await Links.open([a, b])
  t.teardown(async () => {
    await links.close()
    for (const socket of sockets) socket.destroy()
    for (const server of servers) server.close()
  })
  const proxy = JSON.parse(links.startOptions(a).environment.TEST_LINKS as string)[b] as number
  return { a, b, links, heard, open: () => talk(proxy) }
}

function talk(port: number) {
  const socket = connect({ host: '127.0.0.1', port })
  const said = { text: '', closed: false, socket }
  socket.on('data', data => {
    said.text += data
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    said.closed = true
  })
  return said
}

t.test('a whole link carries bytes both ways, and the end of a connection', async t => {
  const { open, heard } = await linked(t)
  const said = open()
  said.socket.write('one')
  await waitFor(() => said.text === 'ONE', { what: 'the answer is there' })
  said.socket.end()
  await waitFor(() => said.closed, { what: 'both sides have closed' })
  t.same(heard, ['one'])
})

for (const { cut, heardMeanwhile } of [
  { cut: 'there', heardMeanwhile: ['one'] },
  { cut: 'back', heardMeanwhile: ['one', 'two'] },
] as const) {
  t.test(`silence ${cut}: bytes wait and are delivered late`, async t => {
    const { a, b, links, heard, open } = await linked(t)
    const said = open()
    said.socket.write('one')
    await waitFor(() => said.text === 'ONE', { what: 'the answer is there' })
    if (cut === 'there') links.cut(a, b, 'silence')
    else links.cut(b, a, 'silence')
    said.socket.write('two')
    await waitFor(() => heard.length >= heardMeanwhile.length, { what: 'what gets through is heard' })
    // Nothing can be waited for where nothing must happen.
    await delay(50)
    t.same(heard, heardMeanwhile)
    t.equal(said.text, 'ONE', 'no answer comes')
    t.equal(said.closed, false, 'the connection stands')
    links.restore()
    await waitFor(() => said.text === 'ONETWO', { what: 'everything is delivered' })
  })
}

t.test('a refusing link resets what is open and what is tried, one way only', async t => {
  const { a, b, links, open } = await linked(t)
  const said = open()
  said.socket.write('one')
  await waitFor(() => said.text === 'ONE', { what: 'the answer is there' })
  links.cut(b, a, 'refuse' satisfies Cut)
  said.socket.write('two')
  await waitFor(() => said.text === 'ONETWO', { what: 'the other direction goes on' })
  links.cut(a, b, 'refuse')
  await waitFor(() => said.closed, { what: 'the open connection is reset' })
  const refused = open()
  await waitFor(() => refused.closed, { what: 'a new connection is reset' })
  links.restore()
  const again = open()
  again.socket.write('three')
  await waitFor(() => again.text === 'THREE', { what: 'connections succeed again' })
  again.socket.destroy()
})
