/**
 * The dialogs: ask for a name, ask before something is gone, show a share link, and show how far a long deed is.
 */
import { share } from './api.js'
import { date } from './format.js'
import { icon } from './icons.js'
import { Component, createRef, h } from './preact.js'

/** A native dialog: it keeps the focus inside, and Escape closes it. */
class Dialog extends Component {
  #element = createRef()

  componentDidMount() {
    this.#element.current.showModal()
  }

  render() {
    const { title, children, onClose, onSubmit } = /** @type {any} */ (this.props)
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault()
      onSubmit?.()
    }
    return h(
      'dialog',
      { ref: this.#element, onClose, 'aria-label': title },
      h('form', { onSubmit: submit }, h('h2', null, title), children),
    )
  }
}

/** Buttons of a dialog. @param {() => void} onClose @param {string} verb @param {{ danger?: boolean, off?: boolean }} [how] */
function buttons(onClose, verb, { danger = false, off = false } = {}) {
  return h(
    'div',
    { class: 'buttons' },
    h('button', { type: 'button', onClick: onClose }, 'Cancel'),
    h('button', { type: 'submit', class: danger ? 'danger' : 'primary', disabled: off }, verb),
  )
}

/** Asks for a name. Properties: title, label, verb, value, onClose, onName(name). */
export class NameDialog extends Component {
  state = { value: /** @type {any} */ (this.props).value ?? '' }
  #input = createRef()

  componentDidMount() {
    const input = this.#input.current
    input.focus()
    const dot = input.value.lastIndexOf('.')
    input.setSelectionRange(0, dot > 0 ? dot : input.value.length)
  }

  render() {
    const { title, label, verb, value, onClose, onName } = /** @type {any} */ (this.props)
    const name = this.state.value.trim().replace(/^\/+|\/+$/g, '')
    const onInput = (/** @type {any} */ { target }) => this.setState({ value: target.value })
    return h(
      Dialog,
      { title, onClose, onSubmit: () => name !== '' && name !== value && onName(name) },
      h(
        'label',
        null,
        label,
        h('input', {
          ref: this.#input,
          value: this.state.value,
          onInput,
          autocomplete: 'off',
          spellcheck: false,
        }),
      ),
      buttons(onClose, verb, { off: name === '' || name === value }),
    )
  }
}

/** Asks before something is done for good. Properties: title, text, verb, onClose, onYes. */
export function ConfirmDialog(/** @type {any} */ { title, text, verb, onClose, onYes }) {
  return h(
    Dialog,
    { title, onClose, onSubmit: onYes },
    h('p', null, text),
    buttons(onClose, verb, { danger: true }),
  )
}

const TIMES = [
  ['1h', 'an hour'],
  ['1d', 'a day'],
  ['7d', 'a week'],
  ['30d', '30 days'],
  ['365d', 'a year'],
]

/** Makes a link. Properties: place, onClose. */
export class ShareDialog extends Component {
  state = { time: '7d', link: '', until: '', error: '', copied: false }
  #link = createRef()

  async #make() {
    const { place } = /** @type {any} */ (this.props)
    try {
      this.setState({ ...(await share(place, this.state.time)), error: '', copied: false }, () =>
        this.#link.current.select(),
      )
    } catch (error) {
      this.setState({ error: String(/** @type {Error} */ (error).message) })
    }
  }

  async #copy() {
    this.#link.current.select()
    // The clipboard is there for pages that came over TLS or from this machine; the old way works everywhere.
    await (navigator.clipboard?.writeText(this.state.link) ?? document.execCommand('copy'))
    this.setState({ copied: true })
  }

  render() {
    const { place, onClose } = /** @type {any} */ (this.props)
    const { time, link, until, error, copied } = this.state
    return h(
      Dialog,
      { title: 'Share a link', onClose, onSubmit: () => (link ? this.#copy() : this.#make()) },
      h('p', { class: 'place' }, place),
      h(
        'label',
        null,
        'It works for',
        h(
          'select',
          {
            value: time,
            onChange: (/** @type {any} */ { target }) => this.setState({ time: target.value, link: '' }),
          },
          TIMES.map(([value, name]) => h('option', { key: value, value }, name)),
        ),
      ),
      link !== '' && [
        h('input', { ref: this.#link, readOnly: true, value: link, 'aria-label': 'Link' }),
        h(
          'p',
          { class: 'faint' },
          `Whoever has this link can read ${place.endsWith('/') ? 'everything in this folder' : 'this file'} until ${date(until)}.`,
        ),
      ],
      error !== '' && h('p', { class: 'error', role: 'alert' }, error),
      h(
        'div',
        { class: 'buttons' },
        h('button', { type: 'button', onClick: onClose }, 'Close'),
        h(
          'button',
          { type: 'submit', class: 'primary' },
          link === '' ? 'Make a link' : copied ? 'Copied' : 'Copy',
        ),
      ),
    )
  }
}

/** A deed on many files. Properties: title, done, all, error, onCancel. */
export function ProgressDialog(/** @type {any} */ { title, done, all, error, onCancel }) {
  return h(
    Dialog,
    { title, onClose: onCancel, onSubmit: onCancel },
    h('progress', all > 0 ? { value: done, max: all } : null),
    h('p', { class: 'faint' }, all > 0 ? `${done} of ${all}` : 'Looking…'),
    error && h('p', { class: 'error', role: 'alert' }, error),
    h('div', { class: 'buttons' }, h('button', { type: 'submit' }, error ? 'Close' : 'Cancel')),
  )
}

/** @param {Parameters<typeof icon>[0]} name @param {string} label @param {() => void} onClick */
export function toolButton(name, label, onClick, kind = '') {
  return h('button', { type: 'button', class: kind, onClick }, icon(name), h('span', null, label))
}

/** @param {() => void} onClick @param {string} label */
export function closeButton(onClick, label = 'Close') {
  return h(
    'button',
    { type: 'button', class: 'bare', onClick, 'aria-label': label, title: label },
    icon('close'),
  )
}
