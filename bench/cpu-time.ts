/**
 * What a process has used of the processor: a figure that other programs on the machine disturb less than a rate.
 */
import { readFile } from 'node:fs/promises'

/** The kernel counts in ticks of 1/100 s (USER_HZ), whatever its own clock is. */
const TICKS_PER_SECOND = 100

/** The sum of several processes. */
export async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map(cpuSeconds))
  return each.reduce((sum, seconds) => sum + seconds, 0)
}

/** Seconds of processor time of all threads of a process since its start, user and system. Linux only. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name of the program stands in parentheses and may hold spaces; utime and stime are fields 14 and 15 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
