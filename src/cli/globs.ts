/**
 * Patterns in paths of the store: `photos/*.jpg` is every path that fits, found by listing what they begin with. As in a
 * shell, `*` stays within a segment, `**` does not, and a file that has the pattern for its name is meant by it.
 */
import { Minimatch } from 'minimatch'
import type { ListedFile, StoreClient } from '../client/client.ts'
import type { Session } from './session.ts'

/** Whether a word may be a pattern. */
export function isGlob(word: string): boolean {
  return /[*?[{]/.test(word)
}

/** What every path that fits begins with. */
export function literalStart(pattern: string): string {
  return pattern.slice(0, pattern.search(/[*?[{\\]|$/))
}

export function matcherOf(pattern: string): (path: string) => boolean {
  // No comments, no negation: both are for files of patterns.
  const matcher = new Minimatch(pattern.replace(/^\//, ''), { nocomment: true, nonegate: true })
  return path => matcher.match(path)
}

/** The files that fit a pattern, in the order of their paths. */
export async function* matching(
  client: Pick<StoreClient, 'list'>,
  pattern: string,
  { signal }: Pick<Session, 'signal'>,
): AsyncGenerator<ListedFile> {
  const fits = matcherOf(pattern)
  for await (const file of client.list(literalStart(pattern.replace(/^\//, '')), { signal }))
    if (fits(file.path)) yield file
}

/**
 * Words as paths: a pattern becomes what fits it, and every other word stays.
 * @throws Error when nothing fits a pattern: whoever wrote it has expected something.
 */
export async function* expanded(
  client: Pick<StoreClient, 'list' | 'exists'>,
  words: readonly string[],
  session: Pick<Session, 'signal'>,
): AsyncGenerator<string> {
  for (const word of words) {
    if (!isGlob(word) || (await isFile(client, word, session))) {
      yield word
      continue
    }
    let found = false
    for await (const { path } of matching(client, word, session)) {
      found = true
      yield path
    }
    if (!found) throw new Error(`${word}: no path fits this pattern`)
  }
}

async function isFile(
  client: Pick<StoreClient, 'exists'>,
  word: string,
  { signal }: Pick<Session, 'signal'>,
): Promise<boolean> {
  return client.exists(word, { signal }).catch(() => false)
}
