/**
 * How people write the address of a node: a port, HOST:PORT or a URL.
 */
import type { Address } from './identifier.ts'

/** The parts of an address. IPv6 hosts keep their brackets. */
export interface Target {
  readonly host: string
  readonly port: number
}

/** PORT (on this machine), HOST:PORT or a URL without a path; undefined when it is none of them. */
export function parseTarget(text: string): Target | undefined {
  if (/^\d{1,5}$/.test(text))
    return Number(text) <= 65_535 ? { host: '127.0.0.1', port: Number(text) } : undefined
  const isUrl = /^https?:\/\//.test(text)
  if (!isUrl && !/:\d{1,5}$/.test(text)) return undefined
  const written = isUrl ? text : `http://${text}`
  if (!URL.canParse(written)) return undefined
  const url = new URL(written)
  if (url.hostname === '' || (url.pathname !== '/' && url.pathname !== '')) return undefined
  if (url.username !== '' || url.search !== '' || url.hash !== '') return undefined
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { host: url.hostname, port }
}

export function addressOfTarget({ host, port }: Target): Address {
  return `${host}:${port}` as Address
}

/** True for names and addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}
