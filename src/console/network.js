/**
 * The look at the network: the ring, its nodes and a lookup. It asks only while it is looked at: an idle network sends
 * no messages, and a console in a tab behind others shall not be what keeps it awake.
 */
import { network, overlay, status } from './api.js'
import { counted, percent } from './format.js'
import { badge, LookupForm } from './lookup.js'
import { rowsOf } from './node-rows.js'
import { nodesTable } from './nodes.js'
import { coloursOf } from './position.js'
import { Component, h } from './preact.js'
import { ringPicture } from './ring.js'

/** Between two looks, ms. */
const LOOK_MS = 2000

/** A look further back than this gives a rate that does not jump, ms. */
const RATE_MS = 8000

export class NetworkView extends Component {
  state = {
    network: /** @type {import('./node-rows.js').Network | null} */ (null),
    overlay: /** @type {import('./ring.js').Overlay | null} */ (null),
    status: /** @type {import('./node-rows.js').Status | null} */ (null),
    looks: /** @type {import('./node-rows.js').Look[]} */ ([]),
    error: '',
    shown: /** @type {import('./ring.js').Range | undefined} */ (undefined),
    chosen: /** @type {string} */ (''),
    only: '',
    lookup: /** @type {import('./lookup.js').Lookup | null} */ (null),
  }
  #stop = new AbortController()
  #timer = 0

  componentDidMount() {
    document.addEventListener('visibilitychange', this.#onVisible)
    void this.#look()
  }

  componentWillUnmount() {
    document.removeEventListener('visibilitychange', this.#onVisible)
    clearTimeout(this.#timer)
    this.#stop.abort()
  }

  #onVisible = () => {
    clearTimeout(this.#timer)
    if (document.visibilityState === 'visible') void this.#look()
  }

  async #look() {
    clearTimeout(this.#timer)
    const { signal } = this.#stop
    try {
      const [known, ring, own] = await Promise.all([network(signal), overlay(signal), status(signal)])
      const at = performance.now()
      const looks = [
        ...this.state.looks.filter(look => at - look.at < RATE_MS),
        { at, nodes: ring.nodes ?? [] },
      ]
      this.setState({ network: known, overlay: ring, status: own, looks, error: '' })
    } catch (error) {
      if (signal.aborted) return
      this.setState({ error: String(/** @type {Error} */ (error).message) })
    }
    if (!signal.aborted && document.visibilityState === 'visible')
      this.#timer = setTimeout(() => void this.#look(), LOOK_MS)
  }

  #rows() {
    const { network, overlay, looks } = this.state
    if (network === null || overlay === null) return []
    return rowsOf(network, overlay, looks)
  }

  render() {
    const { network, overlay, status, error, shown, chosen, only, lookup } = this.state
    if (network === null || overlay === null)
      return h(
        'main',
        { class: 'network' },
        error === ''
          ? h('p', { class: 'empty' }, 'Asking the network…')
          : h('p', { class: 'error', role: 'alert' }, error),
      )
    const addresses = network.nodes.map(({ address }) => address).sort()
    const colours = coloursOf(addresses)
    const zones = new Map(
      network.nodes.flatMap(({ address, zone }) => (zone === undefined ? [] : [[address, zone]])),
    )
    const range =
      shown ??
      overlay.ranges.find(({ lo }) => lo === chosen) ??
      (lookup ? overlay.ranges.find(({ hi }) => hi === lookup.range.hi) : undefined)
    const onShow = (
      /** @type {import('./ring.js').Range | undefined} */ over,
      /** @type {boolean} */ choose,
    ) =>
      choose ? this.setState({ chosen: over?.lo === chosen ? '' : over?.lo }) : this.setState({ shown: over })
    return h(
      'main',
      { class: 'network' },
      error !== '' && h('p', { class: 'error', role: 'alert' }, `${error} The picture is the last one.`),
      h(
        'div',
        { class: 'ring-and-side' },
        h(
          'section',
          { class: 'card', 'aria-label': 'Ring' },
          ringPicture({
            ranges: overlay.ranges,
            colours,
            nodes: network.nodes,
            zones,
            shown: range,
            only,
            lookup,
            onShow,
          }),
        ),
        h(
          'div',
          { class: 'side' },
          summary(network, overlay, status),
          h(LookupForm, {
            found: lookup,
            colours,
            onFound: (/** @type {import('./lookup.js').Lookup | null} */ found) =>
              this.setState({ lookup: found, chosen: '' }),
          }),
          rangeCard(range, colours),
        ),
      ),
      nodesTable({ rows: this.#rows(), colours, only, onOnly: node => this.setState({ only: node }) }),
    )
  }
}

/**
 * @param {import('./node-rows.js').Network} network
 * @param {import('./ring.js').Overlay} overlay
 * @param {import('./node-rows.js').Status | null} status
 */
function summary({ nodes, replicas, minReplicas }, { ranges, recoveries }, status) {
  const count = (/** @type {string} */ state) => ranges.filter(range => range.state === state).length
  const [changing, filling, unknown] = [count('changing'), count('back-filling'), count('unknown')]
  const suspects = nodes.filter(({ suspect, status: known }) => suspect && known === 'alive').length
  const alive = nodes.filter(({ status: known }) => known === 'alive').length
  const short = ranges.filter(range => range.replicas.length < Math.min(replicas, alive - suspects)).length
  const facts = [
    [
      suspects > 0 ? 'bad' : 'good',
      suspects > 0
        ? `${counted(suspects, 'node')} of ${alive} not answering`
        : `${counted(alive, 'node')}, all answering`,
    ],
    unknown > 0 ? ['bad', `${counted(unknown, 'range')} without an answer`] : null,
    changing > 0 ? ['warn', `${counted(changing, 'range')} changing hands; requests wait a moment`] : null,
    filling > 0 ? ['warn', `repair under way: ${counted(filling, 'range')} still copying large files`] : null,
    short > 0 ? ['warn', `${counted(short, 'range')} with fewer copies than there could be`] : null,
    status && status.replication !== 'running' ? ['bad', status.replication] : null,
    recoveries.length > 0 ? ['warn', `${counted(recoveries.length, 'range')} recovered by force`] : null,
    changing + filling + unknown + short === 0 ? ['good', 'every range is where it belongs'] : null,
  ].filter(fact => fact !== null)
  return h(
    'section',
    { class: 'card summary', 'aria-label': 'State of the network' },
    h('h2', null, 'Network'),
    h(
      'ul',
      { 'aria-live': 'polite' },
      facts.map(([kind, text]) => h('li', { key: text, class: `state ${kind}` }, text)),
    ),
    h(
      'p',
      { class: 'faint' },
      `${counted(replicas, 'copy', 'copies')} of each file, ${minReplicas} needed to write${status?.durable === false ? '; kept in memory only' : ''}.`,
    ),
  )
}

/** @param {import('./ring.js').Range | undefined} range @param {Map<string, string>} colours */
function rangeCard(range, colours) {
  if (range === undefined)
    return h(
      'section',
      { class: 'card range-card hint' },
      h(
        'p',
        { class: 'faint' },
        'Point at the ring to see a range: its outer band is the head, the inner bands are the further copies.',
      ),
    )
  const { lo, hi, share, epoch, state, replicas, witnesses } = range
  const short = (/** @type {string} */ position) => h('code', { title: position }, `${position.slice(0, 8)}…`)
  return h(
    'section',
    { class: 'card range-card', 'aria-label': 'Range' },
    h('h2', null, 'Range ', short(lo), ' to ', short(hi)),
    h(
      'p',
      null,
      `${percent(share)} of the ring, epoch ${epoch}, `,
      h('span', { class: `word ${state}` }, state),
    ),
    h(
      'p',
      null,
      replicas.length === 0
        ? 'Nobody who answered keeps it.'
        : replicas.map((node, at) => [badge(node, colours), at === 0 ? ' (head) ' : ' ']),
    ),
    witnesses.length > 0 &&
      h(
        'p',
        null,
        'Decided with ',
        witnesses.map(node => [badge(node, colours), ' ']),
      ),
  )
}
