/**
 * `npm run pauses [-- --times N] [--seconds S] [--files N]`: the long form of pauses.long.test.ts. One of five nodes stands still for ten seconds, fifty
 * times; prints what was copied for it and how long ranges had fewer replicas than three, and ends with 1 when a file was copied
 * again that was there.
 */
import { parseArgs } from 'node:util'
import { runPauses } from './pauses.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '10' },
    files: { type: 'string', default: '1000' },
  },
})
const [times, seconds, files] = [Number(values.times), Number(values.seconds), Number(values.files)]
if (!Number.isInteger(times) || !Number.isInteger(files) || !(seconds > 0)) {
  throw new TypeError('--times and --files are whole numbers, and --seconds is more than 0')
}
const began = performance.now()
const result = await runPauses({
  times,
  pauseMs: seconds * 1000,
  files,
  say: line => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
})
console.log(result)
if (result.copiedAgain > 0) process.exitCode = 1
