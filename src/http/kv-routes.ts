/**
 * The endpoints for key-value pairs, in two vocabularies: /kv with JSON bodies, and /insert, /query, /delete with
 * everything in the URL. Both are about the same pairs.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import { jsonTextOf } from '../files/json-text.ts'
import {
  checkedValue,
  type Key,
  PAIR_BYTES_MAX,
  type Pair,
  parseKey,
  parsePair,
  pathOfKey,
} from '../files/key-values.ts'
import { allPairs, getPair, putPair, removePair } from '../files/pairs.ts'
import { receiptOf } from '../files/receipt.ts'
import { decodeUrlText } from '../ring/path-name.ts'
import { etagOf } from '../storage/record.ts'
import { isWanted, writeCondition } from './conditions.ts'
import { addEndpoint, type HttpComponents, idempotencyOf, ringHeaders } from './endpoint.ts'
import {
  deleteContract,
  insertContract,
  kvDeleteContract,
  kvGetContract,
  kvPostContract,
  queryContract,
} from './kv-contract.ts'
import { inTurns } from './list-routes.ts'
import { resetConnection } from './read-routes.ts'
import { ignoreBody, receivedText } from './request-body.ts'
import { queryOf, restOf } from './request-target.ts'

/** What an answer calls the word that says what was done. */
type Word = 'status' | 'message'

/** Behind /query/, all pairs. The key that is a star is written %2A. */
const ALL = '*'

/** Characters of one piece of a streamed list: fewer would be a system call for each pair. */
const PIECE_LENGTH = 16 * 1024

export function kvRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  const about = { aboutFile: true } as const
  addEndpoint(fastify, components, {
    ...about,
    methods: ['POST'],
    urls: ['/kv'],
    access: 'write',
    contract: kvPostContract,
    handler: (request, reply) => postPair(components, request, reply),
  })
  const named = [
    ['/kv', 'status', kvGetContract, kvDeleteContract],
    ['/query', 'message', queryContract, undefined],
    ['/delete', 'message', undefined, deleteContract],
  ] as const
  for (const [endpoint, word, getContract, removeContract] of named) {
    const urls = [`${endpoint}/*`]
    if (getContract !== undefined) {
      addEndpoint(fastify, components, {
        ...about,
        methods: ['GET', 'HEAD'],
        urls,
        access: 'read',
        contract: getContract,
        handler: (request, reply) => get(components, request, reply, word),
      })
    }
    if (removeContract === undefined) continue
    addEndpoint(fastify, components, {
      ...about,
      methods: ['DELETE'],
      urls,
      access: 'write',
      contract: removeContract,
      handler: (request, reply) => remove(components, request, reply, word),
    })
  }
  addEndpoint(fastify, components, {
    ...about,
    methods: ['POST'],
    urls: ['/insert/*'],
    access: 'write',
    contract: insertContract,
    handler: (request, reply) => insert(components, request, reply),
  })
}

async function postPair(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = request
  queryOf(raw.url as string, [])
  return components.slots.stream(async () => {
    const text = await receivedText(raw, reply.raw, components.connections, PAIR_BYTES_MAX)
    return put(components, request, reply, parsePair(text), 'status')
  })
}

async function insert(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = request
  const url = raw.url as string
  queryOf(url, [])
  const rest = restOf(url)
  const slash = rest.indexOf('/')
  const key = parseKey(decodeUrlText(slash === -1 ? rest : rest.slice(0, slash)))
  const value = slash === -1 ? '' : decodeUrlText(rest.slice(slash + 1))
  if (value === '') {
    const message =
      'The value is missing: /insert/KEY/VALUE. POST /kv stores any JSON value, also an empty string.'
    throw new StoreError('INVALID_REQUEST', message, { path: pathOfKey(key) })
  }
  await ignoreBody(raw, reply.raw, components.connections)
  return put(components, request, reply, { key, value: checkedValue(jsonTextOf(value)) }, 'message')
}

async function put(
  { files }: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  pair: Pair,
  word: Word,
): Promise<FastifyReply> {
  const { headers } = request.raw
  const condition = writeCondition(headers, undefined, 'none')
  try {
    const written = await putPair(files, pair, { condition, ...idempotencyOf(request) })
    const receipt = receiptOf(written, files.keeping)
    ringHeaders(reply, written.chain)
    reply.header('etag', receipt.etag)
    return sendPair(reply, pair, word, written.replaced ? 'updated' : 'inserted', { receipt })
  } catch (error) {
    // RFC 9110, section 13.1.2: a false If-None-Match is a 412.
    if (condition !== 'absent' || errorCode(error) !== 'FILE_EXISTS') throw error
    const init = { path: pathOfKey(pair.key), cause: error }
    throw new StoreError('PRECONDITION_FAILED', 'This key has a pair already.', init)
  }
}

async function get(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  word: Word,
): Promise<FastifyReply> {
  const url = request.raw.url as string
  queryOf(url, [])
  if (word === 'message' && restOf(url) === ALL) return sendAll(components, request, reply)
  const key = keyOf(url)
  const { value, file } = await getPair(components.files, key)
  const nowMs = components.env.clock.nowMs()
  ringHeaders(reply, file.chain)
  reply.header('etag', etagOf(file.record)).header('cache-control', 'no-cache')
  if (!isWanted(request.raw.headers, file.record, nowMs)) return reply.code(304).send()
  return sendPair(reply, { key, value }, word, 'found')
}

async function remove(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  word: Word,
): Promise<FastifyReply> {
  const { raw } = request
  const url = raw.url as string
  const key = keyOf(url)
  queryOf(url, [])
  if (raw.headers['if-none-match'] !== undefined) {
    throw new StoreError('INVALID_REQUEST', 'If-None-Match makes no sense for a delete.', {
      path: pathOfKey(key),
    })
  }
  const condition = writeCondition(raw.headers, undefined, 'exists')
  await ignoreBody(raw, reply.raw, components.connections)
  const { chain } = await removePair(components.files, key, { condition, ...idempotencyOf(request) })
  ringHeaders(reply, chain)
  return sendPair(reply, { key, value: jsonTextOf(null) }, word, 'deleted')
}

/** The key behind `/ENDPOINT/`, slashes and all. @throws StoreError INVALID_PATH, INVALID_REQUEST. */
function keyOf(url: string): Key {
  return parseKey(decodeUrlText(restOf(url)))
}

/** The value goes out as the text that it is, so that its numbers keep their digits. */
function sendPair(
  reply: FastifyReply,
  pair: Pair,
  word: Word,
  done: string,
  more: Record<string, unknown> = {},
): FastifyReply {
  const rest = JSON.stringify({ [word]: done, ...more })
  return reply.type('application/json; charset=utf-8').send(`${pairText(pair).slice(0, -1)},${rest.slice(1)}`)
}

function pairText({ key, value }: Pair): string {
  return `{"key":${JSON.stringify(key)},"value":${value}}`
}

function sendAll(
  { files, env, ring }: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const asLines = /application\/(?:x-ndjson|ndjson|jsonl)/i.test(request.headers.accept ?? '')
  ringHeaders(reply, [ring.members.self.address])
  reply.header('vary', 'accept').header('cache-control', 'no-cache')
  reply.type(asLines ? 'application/x-ndjson; charset=utf-8' : 'application/json; charset=utf-8')
  if (request.method === 'HEAD') return reply.send()
  const pairs = inTurns(allPairs(files), env)
  const pieces = Readable.from(inPieces(asLines ? linesOf(pairs) : documentOf(pairs)), { objectMode: false })
  pieces.on('error', () => {
    if (reply.raw.headersSent) resetConnection(reply)
  })
  return reply.send(pieces)
}

async function* linesOf(pairs: AsyncIterable<Pair>): AsyncGenerator<string> {
  for await (const pair of pairs) yield `${pairText(pair)}\n`
}

async function* documentOf(pairs: AsyncIterable<Pair>): AsyncGenerator<string> {
  let before = '{"message":"found","value":['
  for await (const pair of pairs) {
    yield before + pairText(pair)
    before = ','
  }
  yield before === ',' ? ']}' : `${before}]}`
}

async function* inPieces(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let piece = ''
  for await (const text of texts) {
    piece += text
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}
