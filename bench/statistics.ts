/**
 * How repeated measurements become one figure: the median, with the lowest and highest beside it.
 */

export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

/** @throws TypeError without measurements. */
export function spreadOf(measurements: readonly number[]): Spread {
  if (measurements.length === 0) throw new TypeError('a spread needs measurements')
  const sorted = measurements.toSorted((a, b) => a - b)
  const at = (i: number) => sorted[i] as number
  const middle = sorted.length >> 1
  return {
    median: sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2,
    lowest: at(0),
    highest: at(sorted.length - 1),
  }
}

/** The ratios of pairs that were measured one right after the other, so that a slow minute of the machine hits both. */
export function ratiosOf(ours: readonly number[], baseline: readonly number[]): number[] {
  if (ours.length !== baseline.length) throw new TypeError('ratios need pairs')
  return ours.map((figure, i) => figure / (baseline[i] as number))
}
