/**
 * The page that a browser shows of a shared folder. It has no script: a name can be anything, and nothing of it is
 * ever more than text.
 */
import { type Listed, placeOf } from '../files/listing.ts'
import { formatQuantity } from '../quantity.ts'

export interface Folder {
  /** Ends with `/`. */
  readonly folder: string
  readonly listed: readonly Listed[]
  /** Where the next page begins; undefined on the last one. */
  readonly next: string | undefined
  /** Where the names within the folder begin in what is listed; behind the folder itself without it. */
  readonly start?: number
}

/** A whole page of HTML. Its links are relative, so that they carry the token of the link that led here. */
export function folderPage({ folder, listed, next, start = folder.length }: Folder): string {
  const name = escaped(folder.slice(folder.lastIndexOf('/', folder.length - 2) + 1, -1))
  const rows = listed.map(entry => rowOf(entry, start)).join('\n')
  const more =
    next === undefined
      ? ''
      : `\n<p><a href="?after=${encodeURIComponent(next)}">What comes after this</a></p>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${name}</title>
<link rel="stylesheet" href="/console/console.css">
<body class="shared">
<main>
<h1>${name}</h1>
<p class="faint">Shared from altered-chord. Everything here as <a href="?format=zip">zip</a> or <a href="?format=tar">tar</a>.</p>
<table>
<thead><tr><th scope="col">Name</th><th scope="col">Size</th><th scope="col">Written</th><th><span class="unseen">Save</span></th></tr></thead>
<tbody>
${rows}
</tbody>
</table>${more}
</main>
</body>
</html>
`
}

function rowOf(entry: Listed, start: number): string {
  const name = placeOf(entry).slice(start)
  // With ./ before it, a name with a colon is no scheme.
  const href = `./${name.split('/').map(encodeURIComponent).join('/')}`
  const link = `<a href="${escaped(href)}">${escaped(name)}</a>`
  if (typeof entry === 'string') return `<tr><td>${link}</td><td></td><td></td><td></td></tr>`
  const written = new Date(entry.writtenAtMs).toISOString()
  const when = `<time datetime="${written}">${written.slice(0, 16).replace('T', ' ')}</time>`
  const save = `<a href="${escaped(href)}?download=true">Save</a>`
  return `<tr><td>${link}</td><td>${formatQuantity(entry.size, 'bytes')}</td><td>${when}</td><td>${save}</td></tr>`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A text as HTML shows it, in elements and in quoted attributes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] as string)
}
