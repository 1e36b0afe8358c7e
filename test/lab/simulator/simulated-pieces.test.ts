import { text } from 'node:stream/consumers'
import t from 'tap'
import {
  ArrivingPieces,
  LeavingPieces,
  type Piece,
  type Taken,
} from '../../../src/lab/simulator/simulated-pieces.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

async function* pieces(...texts: string[]) {
  for (const one of texts) yield Buffer.from(one)
}

/** Two ends of a way on which every piece takes a ms, unless it is lost. */
function way(isLost: (frame: Piece | Taken) => boolean = () => false, stallMs = 5_000) {
  const clock = new VirtualClock({ hasStreams: true })
  const init = { id: 'x', stallMs }
  const closings: boolean[] = []
  let sent = 0
  const carry = <Frame extends Piece | Taken>(frame: Frame, arrive: (frame: Frame) => void) => {
    sent++
    if (!isLost(frame)) clock.after(1, () => arrive(frame))
  }
  const leaving = new LeavingPieces(
    { timers: clock, send: frame => carry(frame, piece => arriving.arrived(piece)) },
    init,
  )
  const arriving = new ArrivingPieces(
    {
      timers: clock,
      send: frame => carry(frame, ({ number }) => leaving.taken(number)),
      closed: isWhole => closings.push(isWhole),
    },
    init,
  )
  const run = async <T>(work: Promise<T>) => {
    work.catch(() => undefined)
    await clock.runSettled(clock.monotonicMs() + 20_000)
    return work
  }
  return { leaving, arriving, run, closings, sent: () => sent }
}

t.test(
  'a body comes over, each piece once, also when pieces and their acknowledgements are lost',
  async t => {
    for (const lost of ['nothing', 'piece', 'taken'] as const) {
      let losses = 0
      const { leaving, arriving, run, closings, sent } = way(
        frame => frame.kind === lost && frame.number === 1 && losses++ < 2,
      )
      const read = text(arriving.bytes)
      await run(leaving.send(pieces('one ', 'two ', 'three')))
      t.equal(await run(read), 'one two three')
      t.same(closings, [true])
      t.equal(sent() > 8, lost !== 'nothing')
    }
  },
)

t.test('a way that carries nothing ends at both sides', async t => {
  const { leaving, arriving, run, closings } = way(({ kind }) => kind === 'piece')
  const read = text(arriving.bytes)
  read.catch(() => undefined)
  await t.rejects(run(leaving.send(pieces('one'))), { code: 'UNAVAILABLE' })
  await t.rejects(run(read), { code: 'UNAVAILABLE' })
  t.same(closings, [false])
})

t.test('either side may end it, and a body that fails ends it', async t => {
  const { leaving, arriving, run } = way()
  arriving.fail(new Error('gone'))
  await t.rejects(run(text(arriving.bytes)), /gone/)
  const sent = leaving.send(pieces('one'))
  leaving.fail(new Error('broken off'))
  await t.rejects(run(sent), /broken off/)
  const other = way()
  async function* failing() {
    yield Buffer.from('one')
    throw new Error('no more bytes')
  }
  other.arriving.bytes.resume()
  await t.rejects(other.run(other.leaving.send(failing())), /no more bytes/)
})
