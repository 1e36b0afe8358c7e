/**
 * Loaded into a node before anything else (`--import`): its wall clock is TEST_CLOCK_OFFSET_MS ahead of the machine's, or
 * behind it when that is negative. Monotonic clocks and timers stay as they are.
 */
const SystemDate = Date
const offsetMs = Number(process.env.TEST_CLOCK_OFFSET_MS ?? 0)

globalThis.Date = class extends SystemDate {
  constructor(...given) {
    if (given.length === 0) super(SystemDate.now() + offsetMs)
    else super(...given)
  }

  static now() {
    return SystemDate.now() + offsetMs
  }
}
