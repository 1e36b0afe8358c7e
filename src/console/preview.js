/**
 * The look at one file: its picture or text, what is known of it, and what can be done with it. What may be a page is
 * shown in a frame that can run nothing.
 */
import { beginning, facts, fileUrl, lookup } from './api.js'
import { closeButton } from './dialogs.js'
import { kindOf } from './entries.js'
import { date, size } from './format.js'
import { icon } from './icons.js'
import { Component, h } from './preact.js'

/** Bytes of a text that are shown. */
const TEXT_BYTES_MAX = 256 * 1024

/** Properties: entry, needsToken, mayWrite, onClose, onAction(name). */
export class Preview extends Component {
  state = { url: '', text: '', sha256: '', etag: '', replicas: /** @type {string[]} */ ([]), error: '' }
  #place = ''

  componentDidMount() {
    void this.#load()
  }

  componentDidUpdate() {
    if (/** @type {any} */ (this.props).entry.place !== this.#place) void this.#load()
  }

  async #load() {
    const { entry, needsToken } = /** @type {any} */ (this.props)
    const { place, size: length } = entry
    this.#place = place
    this.setState({ url: '', text: '', sha256: '', etag: '', replicas: [], error: '' })
    const still = (/** @type {object} */ state) => this.#place === place && this.setState(state)
    const kind = kindOf(entry.type, entry.name)
    try {
      if (kind === 'text') still({ text: await beginning(place, TEXT_BYTES_MAX, length) })
      else if (kind !== 'none') still({ url: await fileUrl(place, needsToken) })
      still(await facts(place))
      still({ replicas: (await lookup(place)).replicas })
    } catch (error) {
      still({ error: String(/** @type {Error} */ (error).message) })
    }
  }

  #shown() {
    const { entry } = /** @type {any} */ (this.props)
    const { url, text } = this.state
    const kind = kindOf(entry.type, entry.name)
    if (kind === 'image') return url && h('img', { src: url, alt: entry.name })
    if (kind === 'text') return h('pre', { tabIndex: 0, 'aria-label': 'Text of the file' }, text)
    // No scripts, no forms, no origin: the frame says it, and the node says it again with the file.
    if (kind === 'page')
      return url && h('iframe', { src: url, sandbox: '', title: entry.name, referrerpolicy: 'no-referrer' })
    return h('div', { class: 'none' }, icon('file'), h('span', { class: 'faint' }, 'No preview of this type'))
  }

  render() {
    const { entry, mayWrite, onClose, onAction } = /** @type {any} */ (this.props)
    const { sha256, etag, replicas, error } = this.state
    const action = (
      /** @type {'download' | 'share' | 'rename' | 'remove'} */ name,
      /** @type {string} */ label,
    ) => h('button', { type: 'button', onClick: () => onAction(name) }, icon(name), label)
    const fact = (/** @type {string} */ name, /** @type {unknown} */ value) =>
      value && [h('dt', null, name), h('dd', null, value)]
    return h(
      'aside',
      { class: 'preview', 'aria-label': `Preview of ${entry.name}` },
      h(
        'header',
        null,
        h('h2', { title: entry.place }, entry.name),
        closeButton(onClose, 'Close the preview'),
      ),
      h('div', { class: 'sight' }, this.#shown()),
      h(
        'div',
        { class: 'actions' },
        action('download', 'Download'),
        mayWrite && [action('share', 'Share'), action('rename', 'Rename'), action('remove', 'Delete')],
      ),
      error !== '' && h('p', { class: 'error', role: 'alert' }, error),
      h(
        'dl',
        null,
        fact('Size', size(entry.size)),
        fact('Type', entry.type),
        fact('Written', date(entry.written)),
        fact('Version', etag),
        fact('Kept by', replicas.length > 0 && replicas.map(node => h('div', { key: node }, node))),
        fact('SHA-256', sha256 && h('code', null, sha256)),
      ),
    )
  }
}
