#!/usr/bin/env node
// `node start ARGS` is `altered-chord start ARGS`.
import { load } from './bin/load.js'

const { main } = await load('cli/main', { ownsProcess: true })
await main(['start', ...process.argv.slice(2)])
