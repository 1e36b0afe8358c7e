#!/usr/bin/env node
// Asks the node of this container how it is: exit code 0 when it answers with 200, 1 when not. Plain JavaScript without packages:
// it starts in a few hundredths of a second, with the settings that the node itself was started with.
//   node deploy/health-check.js          GET /health: is it alive?
//   node deploy/health-check.js /ready   does it serve? Shows the token, which a probe written in a manifest could not keep secret.
import { readFileSync } from 'node:fs'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'

/** Shorter than the timeouts of the platforms that run this, so that the reason is printed, ms. */
const TIMEOUT_MS = 4_000

const { env } = process
const [path = '/health'] = process.argv.slice(2)
const secure = Boolean(env.ALTERED_CHORD_TLS_CERT)
const token = (secretOf('ALTERED_CHORD_READ_TOKEN') ?? secretOf('ALTERED_CHORD_TOKEN'))?.split(',')[0]

try {
  const status = await ask({
    host: hostOf(env.ALTERED_CHORD_HOST),
    port: Number(env.ALTERED_CHORD_PORT || env.PORT || 5000),
    path,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    // The certificate names the node as others see it; this asks the same machine.
    rejectUnauthorized: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  console.log(`${path} ${status}`)
  process.exitCode = status === 200 ? 0 : 1
} catch (error) {
  console.log(`${path} ${error.cause?.message ?? error.message}`)
  process.exitCode = 1
}

/** A node that listens everywhere is asked over loopback. */
function hostOf(host = '') {
  if (host === '::' || host === '[::]') return '::1'
  return host === '' || host === '0.0.0.0' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1')
}

function secretOf(variable) {
  const file = env[`${variable}_FILE`]
  return env[variable] || (file ? readFileSync(file, 'utf8').trimEnd() : undefined)
}

function ask(options) {
  return new Promise((resolve, reject) => {
    const request = (secure ? requestHttps : requestHttp)(options, reply => {
      reply.resume()
      reply.once('end', () => resolve(reply.statusCode))
      reply.once('error', reject)
    })
    request.once('error', reject)
    request.end()
  })
}
