/**
 * The short digest with which a node says what it knows of one sector of the ring, so that the other side can
 * answer with what it lacks.
 *
 * A digest is a Bloom filter with one hash function (Bloom, CACM 13(7), 1970) over the records believed alive. One
 * function is right here: an error only delays a record until the sector is compared again, with another salt.
 */
import { aliveStateOf, isAliveState } from './map-record.ts'
import type { NetworkMap } from './network-map.ts'
import { firstAtLeast, type Member } from './roster.ts'

/** Live members that a sector is made to hold. */
export const SECTOR_MEMBERS = 128

/** Bits of the filter for each member: 1 - exp(-1/8) = 12 % of the lacking records pass as known. */
const BITS_PER_MEMBER = 8

export interface Digest {
  /** The sector, as identifier prefixes: from `from` clockwise up to but without `to`; equal is the whole ring. */
  readonly from: number
  readonly to: number
  /** Makes the errors of two digests of one sector differ. */
  readonly salt: number
  readonly bits: Uint8Array
  /** Of the nodes with any identifier in the sector; else of those that have their first one there. */
  readonly every?: boolean | undefined
}

/**
 * The digest of the sector that begins at `from` and ends after `membersMax` live members, or of the whole ring when
 * there are no more than that.
 */
export function digestOf(map: NetworkMap, from: number, salt: number, membersMax = SECTOR_MEMBERS): Digest {
  const { prefixes, members: homes } = map.roster.homes()
  const states = map.states()
  const first = firstAtLeast(prefixes, homes.length, from)
  const live = Math.min(map.aliveCount, membersMax)
  const bits = new Uint8Array(Math.max(1, Math.ceil((live * BITS_PER_MEMBER) / 8)))
  const bitCount = bits.length * 8
  let left = live
  let index = first
  for (let step = 0; step < homes.length; step++, index++) {
    if (index === homes.length) index = 0
    const member = homes[index] as Member
    const state = states[member] as number
    if (!isAliveState(state)) continue
    if (left-- === 0) return { from, to: prefixes[index] as number, salt, bits }
    const bit = bitOf(map.roster.hashOf(member), state, salt, bitCount)
    bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7))
  }
  return { from, to: from, salt, bits }
}

/** The digest of the live members in a given sector, however many. */
export function digestOfArc(
  map: NetworkMap,
  { from, to, every = false }: Pick<Digest, 'from' | 'to' | 'every'>,
  salt: number,
): Digest {
  const states = map.states()
  const sector = { from, to, ...(every && { every }) }
  const live = membersWithin(map, sector).filter(member => map.isAlive(member))
  const bits = new Uint8Array(Math.max(1, Math.ceil((live.length * BITS_PER_MEMBER) / 8)))
  for (const member of live) {
    const bit = bitOf(map.roster.hashOf(member), states[member] as number, salt, bits.length * 8)
    bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7))
  }
  return { ...sector, salt, bits }
}

/**
 * What the sender of a digest lacks, as far as this map knows.
 * @returns `gone`: it believes alive who is not; `missing`: it does not know this live node, or an older record of it.
 */
export function differences(map: NetworkMap, digest: Digest): { gone: Member[]; missing: Member[] } {
  const states = map.states()
  const { salt, bits } = digest
  const bitCount = bits.length * 8
  const gone: Member[] = []
  const missing: Member[] = []
  for (const member of membersWithin(map, digest)) {
    const state = states[member] as number
    if (state === 0) continue
    const bit = bitOf(map.roster.hashOf(member), aliveStateOf(state), salt, bitCount)
    const believed = ((bits[bit >>> 3] as number) & (1 << (bit & 7))) !== 0
    if (isAliveState(state)) {
      if (!believed) missing.push(member)
    } else if (believed) gone.push(member)
  }
  return { gone, missing }
}

function membersWithin(map: NetworkMap, sector: Pick<Digest, 'from' | 'to' | 'every'>): Member[] {
  return sector.every ? [...new Set(map.roster.positionsWithin(sector))] : homesWithin(map, sector)
}

/** The members of a map's roster that have their first identifier in a sector, in ring order. */
export function homesWithin({ roster }: NetworkMap, sector: Pick<Digest, 'from' | 'to'>): Member[] {
  const { prefixes, members } = roster.homes()
  const first = firstAtLeast(prefixes, members.length, sector.from)
  const end = firstAtLeast(prefixes, members.length, sector.to)
  const within: Uint32Array[] =
    sector.to > sector.from
      ? [members.subarray(first, end)]
      : [members.subarray(first), members.subarray(0, end)]
  return within.flatMap(some => [...some] as Member[])
}

/** The bit of a live record, by the finalizer of MurmurHash3. */
function bitOf(hash: number, state: number, salt: number, bitCount: number): number {
  let mixed = hash ^ Math.imul(state, 0x9e3779b1) ^ salt
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) % bitCount
}
