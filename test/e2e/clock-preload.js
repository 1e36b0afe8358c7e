/**
 * Loaded into a node before anything else (`--import`): its wall clock is TEST_CLOCK_OFFSET_MS ahead of the machine's, or
 * behind it when that is negative. It jumps a day ahead at the first SIGUSR2, and at each further one as far back or ahead again.
 * Monotonic clocks and timers stay as they are.
 */
const SystemDate = Date
let offsetMs = Number(process.env.TEST_CLOCK_OFFSET_MS ?? 0)
let jumpMs = 24 * 3_600_000

process.on('SIGUSR2', () => {
  offsetMs += jumpMs
  jumpMs = -jumpMs
})

globalThis.Date = class extends SystemDate {
  constructor(...given) {
    if (given.length === 0) super(SystemDate.now() + offsetMs)
    else super(...given)
  }

  static now() {
    return SystemDate.now() + offsetMs
  }
}
