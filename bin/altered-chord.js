#!/usr/bin/env node
// The program `altered-chord`.
import { load } from './load.js'

const { main } = await load('cli/main', { ownsProcess: true })
await main(process.argv.slice(2))
