#!/usr/bin/env node
// `node start ARGS` is `altered-chord start ARGS`: plain JavaScript, so that every Node version can begin here.
import { register } from 'tsx/esm/api'

register({ tsconfig: false })
const { main } = await import('./src/cli/main.ts')
await main(['start', ...process.argv.slice(2)])
