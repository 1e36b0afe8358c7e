/**
 * The port of those who watch a driver: the invariants of the simulator. The program has nobody there.
 */
import type { MachineEvent } from './machine.ts'
import type { Write } from './machine-state.ts'

/** Sees what the machine does, for whoever watches over it; it changes nothing, and never throws. */
export interface DriverObserver {
  /** After each step, before its writes are on the disk. */
  stepped(event: MachineEvent, writes: readonly Write[]): void
  /** What a step has written, if anything, is durable; its effects leave next. */
  durable(writes: readonly Write[]): void
}
