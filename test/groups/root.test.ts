import { together } from './together.ts'

together('.', 'mutants', 'bench')
