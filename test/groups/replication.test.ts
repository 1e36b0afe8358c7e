import { together } from './together.ts'

together('replication')
