import t from 'tap'
import { LIMITS } from '../src/config.ts'
import { longFlag, SETTINGS, type Setting } from '../src/settings.ts'

const settings = Object.entries(SETTINGS) as [string, Setting][]

t.test('a setting, its flag and its variable have one name', async t => {
  for (const [name, setting] of settings) {
    const words = longFlag(setting).slice(2).split('-')
    t.equal(words.map((word, i) => (i === 0 ? word : word[0]?.toUpperCase() + word.slice(1))).join(''), name)
    t.equal(setting.variable, `ALTERED_CHORD_${words.join('_').toUpperCase()}`)
  }
})

t.test('every setting says its default, its bounds and what it is for', async t => {
  for (const [name, setting] of settings) {
    for (const text of [setting.default, setting.bounds, setting.meaning])
      t.match(text, /^[^|\n]*[^.|\n]$/, name)
  }
})

t.test('every limit can be set', async t => {
  const limits = settings.flatMap(([, setting]) => setting.limit ?? [])
  t.same(limits.toSorted(), Object.keys(LIMITS).toSorted())
})
