/**
 * The positions of the ring: SHA-1, m = 160 (Stoica et al., "Chord", SIGCOMM 2001, section 4).
 */
import { hash } from 'node:crypto'
import type { PathName } from './path-name.ts'
import { trashedAt } from './trash-path.ts'

/** A position: 40 lower-case hexadecimal digits, so that text order is ring order from zero upward. */
export type Identifier = string & { readonly brand: 'Identifier' }

/** `host:port` at which the others reach a node. */
export type Address = string & { readonly brand: 'Address' }

/** The identity of a node's disk (a UUID). A lost disk is another node, even at the same address. */
export type NodeId = string & { readonly brand: 'NodeId' }

/** Positions of the ring: m = 160 bits. */
export const RING_SIZE = 2n ** 160n

const identifierPattern = /^[0-9a-f]{40}$/

/** @throws TypeError when `text` is not 40 lower-case hexadecimal digits. */
export function parseIdentifier(text: string): Identifier {
  if (!identifierPattern.test(text)) throw new TypeError(`not an identifier: ${text}`)
  return text as Identifier
}

/** The key of a path: its SHA-1. A trashed version has that of the path that it comes from. */
export function identifierOfPath(path: PathName): Identifier {
  return sha1(trashedAt(path)?.path ?? path)
}

/**
 * The identifiers of a node: SHA-1(address), and SHA-1(address#i) for virtual nodes i = 1..count-1. With a count of 1
 * this is exactly the original altered Chord.
 */
export function identifiersOfAddress(address: Address, virtualNodes: number): Identifier[] {
  if (!Number.isInteger(virtualNodes) || virtualNodes < 1) throw new TypeError('virtualNodes is at least 1')
  return Array.from({ length: virtualNodes }, (_, i) => sha1(i === 0 ? address : `${address}#${i}`))
}

/** The next position clockwise. */
export function identifierAfter(identifier: Identifier): Identifier {
  const next = (BigInt(`0x${identifier}`) + 1n) % RING_SIZE
  return next.toString(16).padStart(40, '0') as Identifier
}

/** Hexadecimal digits of an identifier that fit exactly into a number: 13 of them are 52 bits. */
const PREFIX_DIGITS = 13

/**
 * The first 52 bits of an identifier as an integer, for sorted typed arrays. Two identifiers with different prefixes
 * are ordered as their prefixes are; those with equal prefixes have to be compared themselves.
 */
export function identifierPrefix(identifier: Identifier): number {
  return Number.parseInt(identifier.slice(0, PREFIX_DIGITS), 16)
}

function sha1(text: string): Identifier {
  return hash('sha1', text) as Identifier
}
