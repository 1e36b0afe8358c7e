import { getEventListeners } from 'node:events'
import t from 'tap'
import { eitherSignal } from '../src/either-signal.ts'

t.test('it aborts with the reason of the one that does', async t => {
  const [first, second] = [new AbortController(), new AbortController()]
  const either = eitherSignal([first.signal, second.signal])
  t.notOk(either.aborted)
  const reason = new Error('enough')
  second.abort(reason)
  t.ok(either.aborted)
  t.equal(either.reason, reason)
  t.equal(getEventListeners(first.signal, 'abort').length, 0, 'and nobody waits for the other one')
  t.equal(eitherSignal([first.signal, second.signal]).reason, reason, 'also when that was long ago')
})

t.test(
  'what is cleared is forgotten, however many there are, and nothing is said about their number',
  async t => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    t.teardown(() => process.off('warning', onWarning))
    const long = new AbortController()
    const many = Array.from({ length: 50 }, () => eitherSignal([long.signal, new AbortController().signal]))
    t.equal(getEventListeners(long.signal, 'abort').length, many.length)
    for (const either of many) either.clear()
    t.equal(getEventListeners(long.signal, 'abort').length, 0)
    await new Promise(setImmediate)
    t.same(warnings, [])
  },
)
