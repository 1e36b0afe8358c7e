/**
 * How repeated runs become one figure: the mean, with the 95 % confidence interval of Student's t (Student,
 * "The Probable Error of a Mean", Biometrika 6, 1908).
 */

export interface Estimate {
  readonly mean: number
  /** Half of the width of the 95 % confidence interval; NaN with fewer than two runs. */
  readonly margin: number
  /** Runs. */
  readonly count: number
}

/** Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom. */
const T_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
]

/** That of the normal distribution, for more degrees of freedom than the table has. */
const Z_95 = 1.96

/** @throws TypeError without values. */
export function estimateOf(values: readonly number[]): Estimate {
  const count = values.length
  if (count === 0) throw new TypeError('an estimate needs values')
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  if (count === 1) return { mean, margin: Number.NaN, count }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const margin = ((T_95[count - 2] ?? Z_95) * Math.sqrt(squares / (count - 1))) / Math.sqrt(count)
  return { mean, margin, count }
}
