/**
 * Two hundred nodes come with new names and go for good.
 */
import t from 'tap'
import { testNamesThatGo } from './names-that-go.ts'

t.setTimeout(20 * 60_000)

t.test('two hundred names leave as many ranges as there were nodes at once', t => testNamesThatGo(t, 200))
