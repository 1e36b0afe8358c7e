import t from 'tap'
import { DurableViews } from '../../../src/replication/chain/durable-views.ts'
import { freshState } from '../../../src/views/view.ts'
import { wholeView } from './bench.ts'

const view = wholeView(['a'], ['a'], 'v1', 1)
const serving = { ...freshState(view), installed: true, active: true }

t.test('a view serves as long as the disk says so', async t => {
  const { id } = view
  t.notOk(new DurableViews().serves(id))
  t.notOk(new DurableViews(new Map([[id, freshState(view)]])).serves(id))
  const views = new DurableViews(new Map([[id, serving]]))
  t.ok(views.serves(id))
  views.apply([{ kind: 'view', id, state: { ...serving, seq: 5 } }])
  t.ok(views.serves(id), 'a write changes nothing')
  views.apply([{ kind: 'view', id, state: { ...serving, sealed: true } }])
  t.notOk(views.serves(id))
  views.apply([
    { kind: 'view', id, state: serving },
    { kind: 'view', id, state: undefined },
  ])
  t.notOk(views.serves(id), 'the last write counts')
})
