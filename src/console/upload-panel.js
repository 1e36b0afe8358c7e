/**
 * What the console shows of uploads: one bar for all, and a line for each that wants something of somebody.
 */
import { closeButton } from './dialogs.js'
import { counted, nameOf, size } from './format.js'
import { h } from './preact.js'

/** Lines at once; a folder of 10,000 files has one bar and the lines of those that move. */
const LINES_MAX = 60

const ORDER = ['asks', 'failed', 'sending', 'waiting', 'skipped', 'cancelled', 'done']

/** Properties: uploads. */
export function UploadPanel(/** @type {{ uploads: import('./uploads.js').Uploads }} */ { uploads }) {
  if (uploads.all.length === 0) return null
  const { bytes, sent, files, done, failed } = uploads.progress
  const busy = uploads.isBusy
  const title = busy ? `Uploading ${counted(files, 'file')}` : `${counted(files - failed, 'upload')} finished`
  const lines = uploads.all
    .slice()
    .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state))
    .slice(0, LINES_MAX)
  return h(
    'section',
    { class: 'uploads', 'aria-label': 'Uploads' },
    h(
      'header',
      null,
      h('strong', { 'aria-live': 'polite' }, title),
      busy
        ? h('button', { type: 'button', class: 'small', onClick: () => uploads.cancelAll() }, 'Cancel all')
        : closeButton(() => uploads.clear(), 'Close the list of uploads'),
    ),
    h('progress', { value: bytes > 0 ? sent : done, max: bytes > 0 ? bytes : files, 'aria-label': title }),
    h(
      'p',
      { class: 'faint' },
      `${done} of ${files} · ${size(sent)} of ${size(bytes)}${failed > 0 ? ` · ${failed} failed` : ''}`,
    ),
    h(
      'ul',
      null,
      lines.map(upload => line(uploads, upload)),
    ),
  )
}

/** @param {import('./uploads.js').Uploads} uploads @param {import('./uploads.js').Upload} upload */
function line(uploads, upload) {
  const { path, file, state, sent, message } = upload
  const part = file.size > 0 ? Math.floor((sent / file.size) * 100) : 0
  const words = {
    waiting: 'waiting',
    sending: `${part} %`,
    done: size(file.size),
    asks: 'is there already',
    skipped: 'skipped',
    cancelled: 'cancelled',
    failed: message,
  }
  const small = (/** @type {string} */ name, /** @type {() => void} */ onClick) =>
    h('button', { type: 'button', class: 'small', onClick }, name)
  return h(
    'li',
    { key: path, class: state },
    h('span', { class: 'name', title: path }, nameOf(path)),
    h('span', { class: 'faint' }, words[state]),
    state === 'asks' && [
      small('Replace', () => uploads.answer(upload, 'replace', false)),
      small('Skip', () => uploads.answer(upload, 'skip', false)),
      small('Replace all', () => uploads.answer(upload, 'replace', true)),
      small('Skip all', () => uploads.answer(upload, 'skip', true)),
    ],
    state === 'failed' && small('Again', () => uploads.retry(upload)),
    (state === 'sending' || state === 'waiting') &&
      closeButton(() => uploads.cancel(upload), `Cancel ${nameOf(path)}`),
  )
}
