/**
 * How far the heap of a node grows between two full collections. V8 counts the bytes of buffers towards the next
 * one, but sets the limit by its objects alone, of which a node has few: with bodies streaming through, it marked the
 * whole heap for every 12 MiB of them, and spent more on that than on the bytes
 * (docs/decisions/0111-heaps-grow-by-twice-what-is-in-use.md).
 */
import { setFlagsFromString } from 'node:v8'

/** Percent of what is in use, some 26 MiB. With less, collections come one after the other again. */
const HEAP_GROWTH_PERCENT = 200

/** For the whole process, from its next full collection on. */
export function setHeapGrowth(percent: number = HEAP_GROWTH_PERCENT): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`)
}
