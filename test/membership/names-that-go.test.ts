import t from 'tap'
import { testNamesThatGo } from './names-that-go.ts'

t.setTimeout(5 * 60_000)

t.test('names that come and go leave as many ranges as there were nodes at once', t => testNamesThatGo(t, 16))
