import { together } from './together.ts'

together('ring', 'views', 'routing', 'peer', 'files', 'membership', 'deploy')
