// Finds the program's modules: compiled in the package, TypeScript in a clone of the repository, where tsx reads it.
import { existsSync } from 'node:fs'
import { basename } from 'node:path'

const sources = new URL('../src/', import.meta.url)

/**
 * `name` is the path of a module below src, without its ending; dist has it under the last part of that path (packaging/build.js).
 * A process that is all the program's own has every import read by tsx; a library that somebody imports must not change what other
 * imports mean.
 */
export async function load(name, { ownsProcess = false } = {}) {
  const tsx = existsSync(sources) ? await typeScriptReader() : undefined
  if (tsx === undefined) return import(new URL(`../dist/${basename(name)}.js`, import.meta.url).href)
  const url = new URL(`${name}.ts`, sources).href
  if (!ownsProcess) return tsx.tsImport(url, { parentURL: import.meta.url, tsconfig: false })
  tsx.register({ tsconfig: false })
  return import(url)
}

/** Undefined in a clone without the packages of development, which is compiled by `npm run build`. */
async function typeScriptReader() {
  try {
    return await import('tsx/esm/api')
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return undefined
  }
}
