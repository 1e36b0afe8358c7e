import { together } from './together.ts'

together(
  'ring',
  'views',
  'routing',
  'peer',
  'files',
  'calls',
  'membership',
  'operations',
  'ring-node',
  'deploy',
)
