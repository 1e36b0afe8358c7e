/**
 * Which files of a folder are meant, by `--exclude` and `--include`: patterns of .gitignore, of which the last one that fits
 * counts.
 */
import { type Command, Option } from 'commander'
import type { Ignore } from 'ignore'

export interface SelectionOptions {
  readonly exclude?: readonly string[]
  readonly include?: readonly string[]
}

/** Paths are relative to the folder, with `/` between the segments. */
export interface Selection {
  isLeftOut(path: string, kind: 'file' | 'folder'): boolean
}

export const EVERYTHING: Selection = { isLeftOut: () => false }

export function addSelectionOptions(command: Command): Command {
  const patterns: string[] = []
  const collector = (prefix: string) => (pattern: string) => {
    patterns.push(prefix + pattern)
    return patterns
  }
  return command
    .addOption(
      new Option('--exclude <glob>', 'leave out what fits, as in .gitignore; may be given again').argParser(
        collector(''),
      ),
    )
    .addOption(new Option('--include <glob>', 'take back in what fits').argParser(collector('!')))
}

/** @param options the parsed ones; both lists are one, in the order of the command line. */
export async function selectionOf({ exclude, include }: SelectionOptions): Promise<Selection> {
  const patterns = exclude ?? include
  if (patterns === undefined) return EVERYTHING
  const { default: ignore } = (await import('ignore')) as unknown as {
    default: (options: { ignorecase: boolean }) => Ignore
  }
  const rules = ignore({ ignorecase: false }).add([...patterns])
  return {
    isLeftOut: (path, kind) => rules.ignores(kind === 'folder' ? `${path}/` : path),
  }
}
