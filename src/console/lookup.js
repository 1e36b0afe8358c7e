/**
 * The lookup of a path: who answers for it and which nodes were asked on the way, as the ring shows it and in words.
 */
import { lookup } from './api.js'
import { icon } from './icons.js'
import { Component, h } from './preact.js'

/**
 * @typedef {object} Lookup
 * @property {string} path
 * @property {string} key
 * @property {string} owner
 * @property {string[]} replicas
 * @property {{ lo: string, hi: string, epoch: number }} range
 * @property {string[]} chain
 * @property {number} hops
 * @property {number} failed
 * @property {number[]} [hopMs] for each step of the way, from asking to the answer
 * @property {number} ms that the node took
 */

/** Properties: found, colours, onFound(lookup | null). */
export class LookupForm extends Component {
  state = { path: '', error: '', pageMs: 0 }

  async #run() {
    const { onFound } = /** @type {any} */ (this.props)
    const beganAt = performance.now()
    try {
      const found = await lookup(this.state.path.trim())
      this.setState({ error: '', pageMs: performance.now() - beganAt })
      onFound(found)
    } catch (error) {
      onFound(null)
      this.setState({ error: String(/** @type {Error} */ (error).message) })
    }
  }

  render() {
    const { found, colours } = /** @type {{ found: Lookup | null, colours: Map<string, string> }} */ (
      /** @type {any} */ (this.props)
    )
    const { path, error, pageMs } = this.state
    const onSubmit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault()
      void this.#run()
    }
    return h(
      'section',
      { class: 'card lookup', 'aria-label': 'Lookup' },
      h('h2', null, 'Who keeps a path?'),
      h(
        'form',
        { class: 'line', onSubmit },
        h('input', {
          placeholder: 'docs/report.pdf',
          'aria-label': 'Path',
          value: path,
          spellcheck: false,
          autocomplete: 'off',
          autocapitalize: 'off',
          onInput: (/** @type {any} */ { target }) => this.setState({ path: target.value }),
        }),
        h(
          'button',
          { type: 'submit', class: 'primary', disabled: path.trim() === '' },
          icon('search'),
          'Look up',
        ),
      ),
      error !== '' && h('p', { class: 'error', role: 'alert' }, error),
      found && [
        h(
          'ol',
          { class: 'hops' },
          found.chain.map((node, at) =>
            h(
              'li',
              { key: at },
              badge(node, colours),
              h('span', { class: 'faint' }, at === 0 ? 'was asked' : hopTime(found, at)),
            ),
          ),
        ),
        h(
          'p',
          { class: 'faint' },
          `${found.hops} ${found.hops === 1 ? 'hop' : 'hops'}, ${found.ms.toFixed(2)} ms in the network, ${pageMs.toFixed(0)} ms to this page${found.failed > 0 ? `, ${found.failed} failed` : ''}. Epoch ${found.range.epoch}.`,
        ),
        h(
          'p',
          null,
          'Kept by ',
          found.replicas.map((node, at) => [badge(node, colours), at === 0 ? ' (head) ' : ' ']),
        ),
      ],
    )
  }
}

/**
 * What one step of the way took alone: what lies behind it was asked meanwhile.
 * @param {Lookup} found @param {number} at the node that the step leads to
 */
export function hopTime({ hopMs = [] }, at) {
  const all = hopMs[at - 1]
  return all === undefined ? '' : `${Math.max(0, all - (hopMs[at] ?? 0)).toFixed(2)} ms`
}

/** A node's name with its colour. @param {string} node @param {Map<string, string>} colours */
export function badge(node, colours) {
  return h(
    'span',
    { class: 'badge', key: node },
    h(
      'svg',
      { viewBox: '0 0 10 10', 'aria-hidden': 'true' },
      h('circle', { cx: 5, cy: 5, r: 5, fill: colours.get(node) ?? 'var(--unknown)' }),
    ),
    node,
  )
}
