/** `npm run courses`: writes the courses of the protocol to testdata/courses anew. */
import { writeFileSync } from 'node:fs'
import { COURSES, COURSES_FOLDER, transcriptOf } from './courses.ts'

for (const course of COURSES)
  writeFileSync(new URL(`${course.name}.txt`, COURSES_FOLDER), await transcriptOf(course))
