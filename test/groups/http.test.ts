import { together } from './together.ts'

together('http')
