#!/usr/bin/env node
// The program `altered-chord`: plain JavaScript that teaches Node to read the TypeScript of src.
import { register } from 'tsx/esm/api'

register({ tsconfig: false })
const { main } = await import('../src/cli/main.ts')
await main(process.argv.slice(2))
