/**
 * Owns the positions of the ring: SHA-1, m = 160 (Stoica et al., "Chord", SIGCOMM 2001, section 4).
 */
import { hash } from 'node:crypto'
import type { PathName } from './path-name.ts'

/** A position: 40 lower-case hexadecimal digits, so that text order is ring order from zero upward. */
export type Identifier = string & { readonly brand: 'Identifier' }

/** `host:port` at which the others reach a node. */
export type Address = string & { readonly brand: 'Address' }

const identifierPattern = /^[0-9a-f]{40}$/

/** @throws TypeError when `text` is not 40 lower-case hexadecimal digits. */
export function parseIdentifier(text: string): Identifier {
  if (!identifierPattern.test(text)) throw new TypeError(`not an identifier: ${text}`)
  return text as Identifier
}

/** The key of a path: its SHA-1. */
export function identifierOfPath(path: PathName): Identifier {
  return sha1(path)
}

/**
 * The identifiers of a node: SHA-1(address), and SHA-1(address#i) for virtual nodes i = 1..count-1. With a count of 1
 * this is exactly the original altered Chord.
 */
export function identifiersOfAddress(address: Address, virtualNodes: number): Identifier[] {
  if (!Number.isInteger(virtualNodes) || virtualNodes < 1) throw new TypeError('virtualNodes is at least 1')
  return Array.from({ length: virtualNodes }, (_, i) => sha1(i === 0 ? address : `${address}#${i}`))
}

function sha1(text: string): Identifier {
  return hash('sha1', text) as Identifier
}
