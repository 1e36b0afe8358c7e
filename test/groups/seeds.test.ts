import { together } from './together.ts'

together('seeds')
