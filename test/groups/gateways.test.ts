import { together } from './together.ts'

together('s3', 'dav')
