import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { COURSES, COURSES_FOLDER, transcriptOf } from './courses.ts'

for (const course of COURSES)
  t.test(`the course of a ${course.name} is the one in testdata`, async t => {
    const file = new URL(`${course.name}.txt`, COURSES_FOLDER)
    t.equal(
      await transcriptOf(course),
      existsSync(file) ? readFileSync(file, 'utf8') : '',
      'npm run courses writes them',
    )
  })

t.test('testdata has no other courses', async t => {
  t.same(readdirSync(COURSES_FOLDER).sort(), COURSES.map(({ name }) => `${name}.txt`).sort())
})
