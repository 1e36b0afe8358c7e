import { together } from './together.ts'

together('lab')
