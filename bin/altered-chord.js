#!/usr/bin/env node
// The program `altered-chord`.
import { readFileSync } from 'node:fs'

const words = process.argv.slice(2)
if (words.length === 1 && (words[0] === '-V' || words[0] === '--version')) {
  // Scripts ask for it often: it needs nothing of the program.
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  console.log(version)
} else {
  const { load } = await import('./load.js')
  const { main } = await load('cli/main', { ownsProcess: true })
  await main(words)
}
