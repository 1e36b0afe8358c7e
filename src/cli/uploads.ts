/**
 * What a put is about to store: which file of this machine goes to which path, with which metadata.
 */
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Attributes, attributesOf, metaOfAttributes } from '../file-attributes.ts'
import { walkFolder } from './folder-walk.ts'
import type { Selection } from './selection.ts'
import { note, noteFailure, type Session, usageError } from './session.ts'

/** One file, link or folder on its way into the store; `file` is `-` for standard input. */
export interface Upload {
  readonly kind: 'file' | 'link' | 'folder' | 'input'
  readonly file: string
  readonly path: string
  readonly size: number | undefined
  readonly attributes?: Attributes
  readonly meta: Readonly<Record<string, string>>
}

/** A source of a put and what lies in it. */
export interface Planned {
  readonly uploads: readonly Upload[]
  /** Of a folder: what lies below this prefix of the store is what lies in the folder. */
  readonly prefix?: string
  /** Everything in it could be looked at. */
  readonly isWhole: boolean
}

export interface PlanOptions {
  readonly recursive?: boolean
  /** False: symbolic links are left out. */
  readonly links?: boolean
  readonly folders?: boolean
  /** False: bytes only. */
  readonly meta?: boolean
}

/** Every file that is to be sent; what is left out is said on stderr at once. */
export async function planUploads(
  session: Session,
  sources: readonly string[],
  target: string,
  selection: Selection,
  options: PlanOptions,
): Promise<Planned[]> {
  const below = target.endsWith('/') || sources.length > 1
  const folder = target === '/' || target === '' ? '' : `${target.replace(/^\//, '').replace(/\/+$/, '')}/`
  const plans: Planned[] = []
  for (const source of sources) {
    if (source === '-') {
      if (below) throw usageError('Standard input has no name: say the whole PATH, and no other source.')
      const input = { kind: 'input', file: '-', path: target, size: undefined, meta: {} } as const
      plans.push({ uploads: [input], isWhole: true })
      continue
    }
    try {
      const info = await stat(source, { bigint: true })
      if (info.isDirectory()) {
        if (!options.recursive) throw new Error('it is a folder; add -r to store what lies in it')
        const prefix = sources.length > 1 ? `${folder}${basename(source)}/` : folder
        plans.push(await planFolder(session, source, prefix, selection, options))
      } else if (!info.isFile())
        throw new Error('it is not a regular file; to store what it gives out, use "-"')
      else {
        const attributes = attributesOf(info)
        const path = below ? folder + basename(source) : target
        const meta = options.meta === false ? {} : metaOfAttributes(attributes)
        const upload = {
          kind: 'file',
          file: source,
          path,
          size: Number(info.size),
          attributes,
          meta,
        } as const
        plans.push({ uploads: [upload], isWhole: true })
      }
    } catch (error) {
      noteFailure(session, `not stored: ${source}`, turnedAround(error, sources, target) ?? plainer(error))
      plans.push({ uploads: [], isWhole: false })
    }
  }
  return plans
}

/** What to say where the only source is not here and the target is: somebody has written the target first. */
function turnedAround(error: unknown, sources: readonly string[], target: string): Error | undefined {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
  if (!isMissing || sources.length > 1 || !existsSync(target)) return undefined
  return new Error(`it is not here, and ${target} is: the file comes first, and then the PATH`, {
    cause: error,
  })
}

async function planFolder(
  session: Session,
  source: string,
  prefix: string,
  selection: Selection,
  options: PlanOptions,
): Promise<Planned> {
  const uploads: Upload[] = []
  let isWhole = true
  for await (const walked of walkFolder(source, selection)) {
    session.signal.throwIfAborted()
    if (walked.kind === 'failed') {
      isWhole = false
      noteFailure(session, `not stored: ${walked.path}`, plainer(walked.error))
      continue
    }
    if (walked.kind === 'skipped') {
      note(session, `skipped (${walked.reason}): ${walked.path}`)
      continue
    }
    const { kind, file, attributes } = walked
    const reason = leftOut(walked, options)
    if (reason !== undefined) note(session, `skipped (${reason}): ${walked.path}`)
    if (reason !== undefined || (kind === 'folder' && !options.folders)) continue
    const meta = {
      ...(options.meta === false ? {} : metaOfAttributes(attributes)),
      ...(kind === 'link' && { link: walked.target }),
    }
    const size = kind === 'file' ? walked.size : 0
    uploads.push({ kind, file, path: prefix + walked.path, size, attributes, meta })
  }
  return { uploads, prefix, isWhole }
}

function leftOut(
  walked: { readonly kind: 'file' | 'link' } | { readonly kind: 'folder'; readonly isEmpty: boolean },
  options: PlanOptions,
): string | undefined {
  if (walked.kind === 'link' && (options.links === false || options.meta === false)) return 'symbolic link'
  if (walked.kind === 'folder' && walked.isEmpty && !options.folders) return 'empty folder'
  return undefined
}

/** What the system says, without the name of its call. */
export function plainer(error: unknown): unknown {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException
  if (code === 'ENOENT')
    return new Error(`there is no file or folder ${path ?? ''}`.trimEnd(), { cause: error })
  if (code === 'EACCES') return new Error('it may not be read (EACCES)', { cause: error })
  return error
}
