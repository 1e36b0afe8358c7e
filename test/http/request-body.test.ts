import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { Connections } from '../../src/http/connections.ts'
import {
  announcedBytes,
  expectsContinue,
  hasBody,
  ignoreBody,
  receivedBody,
  receivedText,
  receivedWhole,
} from '../../src/http/request-body.ts'

const request = (headers: Record<string, string>) => ({ headers }) as unknown as IncomingMessage

t.test('what a header announces', async t => {
  t.equal(hasBody(request({})), false)
  t.equal(hasBody(request({ 'content-length': '0' })), false)
  t.equal(hasBody(request({ 'content-length': '1' })), true)
  t.equal(hasBody(request({ 'transfer-encoding': 'chunked' })), true)
  t.equal(announcedBytes(request({})), 0)
  t.equal(announcedBytes(request({ 'content-length': '12' })), 12)
  t.equal(announcedBytes(request({ 'transfer-encoding': 'chunked' })), undefined)
  t.equal(expectsContinue(request({ expect: '100-Continue', 'content-length': '1' })), true)
  t.equal(expectsContinue(request({ expect: '100-continue' })), false, 'there is nothing to wait for')
  t.equal(expectsContinue(request({ expect: 'the-unexpected', 'content-length': '1' })), false)
})

type Handler = (request: IncomingMessage, response: ServerResponse, connections: Connections) => Promise<void>

/** A server that hands each request to `handler`, and a connection to it. */
async function serve(t: { teardown(then: () => unknown): void }, handler: Handler): Promise<Socket> {
  const connections = new Connections({ env: realEnv() }, { bodyIdleTimeoutMs: 60_000 })
  const server = createServer()
  server.on('clientError', (error, socket) => connections.onClientError(error, socket))
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    connections.begin(request, response)
    handler(request, response, connections).then(
      () => response.end('done'),
      error => response.end(`refused: ${error.code}`),
    )
  }
  server.on('request', onRequest).on('checkContinue', onRequest)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.setEncoding('latin1')
  t.teardown(() => {
    socket.destroy()
    server.close()
  })
  return socket
}

async function answerOf(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    if (
      /\r\n\r\n[\s\S]*(?:done|refused: \w+)|0\r\n\r\n$/.test(
        text.replace(/^HTTP\/1\.1 100[\s\S]*?\r\n\r\n/, ''),
      )
    )
      break
  }
  return text
}

/** Gives the event loop time to do what it would do, if it did. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
}

const head = 'PUT / HTTP/1.1\r\nHost: a\r\n'

t.test('a text comes whole, however it is cut', async t => {
  let got = ''
  const socket = await serve(t, async (request, response, connections) => {
    got = await receivedText(request, response, connections, 100)
  })
  socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n2\r\na\xc3`, 'latin1')
  await turns(20)
  socket.write('\r\n1\r\n\xa9\r\n0\r\n\r\n', 'latin1')
  t.match(await answerOf(socket), /done/)
  t.equal(got, 'aé')
})

t.test('what is too long or no text is refused', async t => {
  const read: Handler = async (request, response, connections) => {
    await receivedText(request, response, connections, 3)
  }
  const announced = await serve(t, read)
  announced.write(`${head}Content-Length: 4\r\n\r\nabcd`)
  t.match(await answerOf(announced), /refused: FILE_TOO_LARGE/)
  const chunked = await serve(t, read)
  chunked.write(`${head}Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n`)
  t.match(await answerOf(chunked), /refused: FILE_TOO_LARGE/)
  const noText = await serve(t, read)
  noText.write(`${head}Content-Length: 1\r\n\r\n\xff`, 'latin1')
  t.match(await answerOf(noText), /refused: INVALID_REQUEST/)
})

t.test('the 100 goes out when the body is wanted, and not before', async t => {
  let want = () => {}
  const wanted = new Promise<void>(resolve => {
    want = resolve
  })
  const socket = await serve(t, async (request, response, connections) => {
    await wanted
    await ignoreBody(request, response, connections)
  })
  let early = ''
  socket.once('data', chunk => {
    early += chunk
    socket.write('x')
  })
  socket.write(`${head}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`)
  await turns(50)
  t.equal(early, '')
  want()
  t.match(await answerOf(socket), /done/)
  t.match(early, /^HTTP\/1\.1 100 Continue\r\n/)
})

t.test('a body that is cut off is no shorter body', async t => {
  let code: string | undefined
  let settle = () => {}
  const settled = new Promise<void>(resolve => {
    settle = resolve
  })
  const socket = await serve(t, async (request, response, connections) => {
    try {
      await ignoreBody(request, response, connections)
    } catch (error) {
      code = (error as { code: string }).code
    }
    settle()
  })
  socket.write(`${head}Content-Length: 10\r\n\r\nabc`, () => socket.resetAndDestroy())
  await settled
  t.equal(code, 'INVALID_REQUEST')
})

t.test('a small body comes whole, in one piece or in several', async t => {
  for (const pieces of [['abcdef'], ['a', 'bcd', 'ef'], ['']]) {
    const length = pieces.join('').length
    let got = ''
    const socket = await serve(t, async (request, _response, connections) => {
      got = Buffer.from((await receivedWhole(request, connections, length)).bytes).toString()
    })
    socket.write(`${head}Content-Length: ${length}\r\n\r\n${pieces[0]}`)
    for (const piece of pieces.slice(1)) {
      await turns(20)
      socket.write(piece)
    }
    t.match(await answerOf(socket), /done/)
    t.equal(got, pieces.join(''))
  }
})

t.test('a small body that is cut off, or whose client has gone before it was wanted, is none', async t => {
  for (const isLate of [false, true]) {
    let code: string | undefined
    let settle = () => {}
    const settled = new Promise<void>(resolve => {
      settle = resolve
    })
    const socket = await serve(t, async (request, _response, connections) => {
      socket.resetAndDestroy()
      if (isLate) await new Promise(resolve => request.once('close', resolve))
      code = await receivedWhole(request, connections, 10).then(
        () => 'whole',
        error => error.code,
      )
      settle()
    })
    socket.write(`${head}Content-Length: 10\r\n\r\nabc`)
    await settled
    t.equal(code, 'INVALID_REQUEST')
  }
})

t.test('a small body that stands still is given up', async t => {
  const socket = await serve(t, async (request, _response, connections) => {
    const whole = receivedWhole(request, connections, 10)
    setImmediate(() => connections.onTimeout(request.socket))
    await whole
  })
  socket.write(`${head}Content-Length: 10\r\n\r\nabc`)
  t.match(await answerOf(socket), /refused: REQUEST_TIMEOUT/)
})

t.test('malformed chunks end the body with an answer', async t => {
  const socket = await serve(t, async (request, response, connections) => {
    await ignoreBody(request, response, connections)
  })
  socket.write(`${head}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n`)
  t.match(await answerOf(socket), /refused: INVALID_REQUEST/)
})

t.test('a signal ends it, and its listeners are gone', async t => {
  const abort = new AbortController()
  let left = -1
  const socket = await serve(t, async (request, response, connections) => {
    const before = request.listenerCount('readable') + request.listenerCount('close')
    const reading = (async () => {
      for await (const _ of receivedBody(request, response, connections, abort.signal));
    })()
    abort.abort()
    await t.rejects(reading, { code: 'INVALID_REQUEST' })
    left = request.listenerCount('readable') + request.listenerCount('close') - before
  })
  socket.write(`${head}Content-Length: 10\r\n\r\nabc`)
  await answerOf(socket)
  t.equal(left, 0)
})
