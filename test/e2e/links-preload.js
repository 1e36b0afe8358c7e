/**
 * Loaded into a node before anything else (`--import`): its connections to other nodes go to the proxies that links.ts
 * has put between them. TEST_LINKS is a JSON object from "host:port" to the port of the proxy.
 */
import { Socket } from 'node:net'

const proxies = JSON.parse(process.env.TEST_LINKS ?? '{}')
const connect = Socket.prototype.connect

Socket.prototype.connect = function (...given) {
  // net.connect hands over what it has normalized: the options in an array.
  const options = Array.isArray(given[0]) ? given[0][0] : given[0]
  const proxy = proxies[`${options?.host}:${options?.port}`]
  if (proxy !== undefined) options.port = proxy
  return connect.apply(this, given)
}
