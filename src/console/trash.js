/**
 * The trash: what was removed or replaced, until its time is over; to be put back, or deleted for good.
 */
import { emptyTrash, trash } from './api.js'
import { forgetAll, restoreAll } from './deeds.js'
import { ConfirmDialog, ProgressDialog, toolButton } from './dialogs.js'
import { arranged } from './entries.js'
import { FileList } from './file-list.js'
import { counted, date } from './format.js'
import { icon } from './icons.js'
import { Component, createRef, h } from './preact.js'

/**
 * @typedef {object} TrashState
 * @property {ReadonlyMap<string, import('./api.js').Trashed>} versions by their place
 * @property {import('./entries.js').Entry[]} entries
 * @property {import('./entries.js').Entry[]} rows those that are shown, in order
 * @property {boolean} loading
 * @property {string} error
 * @property {string} said what was done last
 * @property {import('./entries.js').Column} column
 * @property {boolean} descending
 * @property {string} search
 * @property {ReadonlySet<string>} chosen
 * @property {string} focus
 * @property {(() => unknown) | null} dialog
 */

/** @param {import('./api.js').Trashed} version @returns {import('./entries.js').Entry} */
function entryOf({ place, path, size, reason, trashedAt }) {
  const type = reason === 'removed' ? 'Deleted' : 'Replaced'
  return { place, name: path, isFolder: false, size, type, written: trashedAt }
}

/** Properties: access. */
export class Trash extends Component {
  /** @type {TrashState} */
  state = {
    versions: new Map(),
    entries: [],
    rows: [],
    loading: true,
    error: '',
    said: '',
    column: 'written',
    descending: true,
    search: '',
    chosen: new Set(),
    focus: '',
    dialog: null,
  }
  #loading = new AbortController()
  #list = createRef()

  get mayWrite() {
    return /** @type {any} */ (this.props).access.access === 'write'
  }

  componentDidMount() {
    void this.#load()
  }

  componentWillUnmount() {
    this.#loading.abort()
  }

  async #load() {
    this.#loading.abort()
    const loading = new AbortController()
    this.#loading = loading
    const { signal } = loading
    this.setState({ loading: true, error: '' })
    /** @type {Map<string, import('./api.js').Trashed>} */
    const versions = new Map()
    try {
      for await (const batch of trash(signal))
        for (const version of batch) versions.set(version.place, version)
      if (!signal.aborted)
        this.#arrange({ versions, entries: Array.from(versions.values(), entryOf), loading: false })
    } catch (error) {
      if (!signal.aborted) this.setState({ loading: false, error: messageOf(error) })
    }
  }

  /** @param {Partial<TrashState>} change */
  #arrange(change) {
    this.setState((/** @type {TrashState} */ before) => {
      const after = { ...before, ...change }
      return { ...change, rows: arranged(after.entries, after) }
    })
  }

  /** @param {import('./entries.js').Column} column */
  #sort = column => {
    const descending = this.state.column === column ? !this.state.descending : column !== 'name'
    this.#arrange({ column, descending })
  }

  #close = () => this.setState({ dialog: null })

  /** What an action is for: what is chosen, else the row with the focus. */
  get #asked() {
    const { versions, chosen, focus } = this.state
    const places = chosen.size > 0 ? [...chosen] : [focus]
    return places.flatMap(place => versions.get(place) ?? [])
  }

  /** @param {string} [name] */
  #act = name => {
    const asked = this.#asked
    if (!this.mayWrite || asked.length === 0) return
    if (name !== 'remove') void this.#restore(asked)
    else
      this.#ask('Delete for good', `${counted(asked.length, 'version')} will be deleted for good.`, () =>
        this.#deed('Deleting', asked, (versions, options) => forgetAll(versions, options)),
      )
  }

  #empty = () =>
    this.#ask('Empty the trash', 'Everything in it will be deleted for good, at all nodes.', () =>
      this.#deed('Emptying the trash', [], async () => {
        const { versions } = await emptyTrash()
        this.setState({ said: `${counted(versions, 'version')} deleted for good.` })
      }),
    )

  /** @param {string} verb @param {string} text @param {() => unknown} onYes */
  #ask(verb, text, onYes) {
    this.setState({
      dialog: () => h(ConfirmDialog, { title: verb, text, verb, onClose: this.#close, onYes }),
    })
  }

  /** @param {import('./api.js').Trashed[]} asked @param {boolean} [overwrite] */
  async #restore(asked, overwrite = false) {
    /** @type {import('./api.js').Trashed[]} */
    const taken = []
    await this.#deed('Restoring', asked, async (versions, options) => {
      await restoreAll(versions, { ...options, overwrite }, taken)
      this.setState({ said: `${counted(versions.length - taken.length, 'file')} restored.` })
    })
    if (taken.length === 0) return
    const [{ path }] = /** @type {[import('./api.js').Trashed]} */ (taken)
    const where = taken.length === 1 ? `“${path}” is` : `${counted(taken.length, 'path')} are`
    const text = `${where} in use by now. What is there goes into the trash.`
    this.#ask('Replace', text, () => this.#restore(taken, true))
  }

  /**
   * @param {string} title
   * @param {import('./api.js').Trashed[]} versions
   * @param {(versions: import('./api.js').Trashed[], options: { signal: AbortSignal, onProgress: (done: number) => void }) => Promise<void>} run
   */
  async #deed(title, versions, run) {
    const stop = new AbortController()
    const { signal } = stop
    const onCancel = () => {
      stop.abort()
      this.#close()
    }
    const all = versions.length
    const show = (/** @type {object} */ state) =>
      !signal.aborted &&
      this.setState({ dialog: () => h(ProgressDialog, { title, onCancel, done: 0, all, ...state }) })
    show({})
    this.setState({ said: '' })
    try {
      await run(versions, { signal, onProgress: done => show({ done }) })
      if (!signal.aborted) this.#close()
    } catch (error) {
      show({ error: messageOf(error) })
    }
    this.setState({ chosen: new Set(), focus: '' })
    await this.#load()
    this.#list.current?.focus()
  }

  #toolbar() {
    const { chosen, rows, search } = this.state
    return h(
      'div',
      { class: 'toolbar' },
      chosen.size > 0
        ? h(
            'div',
            { class: 'chosen', role: 'toolbar', 'aria-label': 'What is chosen' },
            h('strong', null, `${chosen.size.toLocaleString('en')} chosen`),
            this.mayWrite && [
              toolButton('undo', 'Restore', () => this.#act(), 'primary'),
              toolButton('remove', 'Delete for good', () => this.#act('remove'), 'danger-text'),
            ],
            toolButton('close', 'Clear', () => this.setState({ chosen: new Set() })),
          )
        : this.mayWrite &&
            rows.length > 0 &&
            h(
              'div',
              { class: 'chosen' },
              toolButton('remove', 'Empty the trash', this.#empty, 'danger-text'),
            ),
      h(
        'div',
        { class: 'search' },
        icon('search'),
        h('input', {
          type: 'search',
          placeholder: 'Search in the trash',
          'aria-label': 'Search',
          value: search,
          onInput: (/** @type {any} */ { target }) => this.#arrange({ search: target.value }),
        }),
      ),
    )
  }

  render() {
    const { rows, loading, error, said, column, descending, search, chosen, focus, dialog, versions } =
      this.state
    const until = versions.get(focus)?.until
    return h(
      'main',
      { class: 'files trash' },
      h(
        'div',
        { class: 'head' },
        h('h1', null, 'Trash'),
        h(
          'span',
          { class: 'faint count', role: 'status' },
          [
            loading ? 'Looking…' : counted(rows.length, 'version'),
            said,
            until && `Kept until ${date(until)}.`,
          ]
            .filter(Boolean)
            .join(' · '),
        ),
      ),
      this.#toolbar(),
      error !== '' && h('p', { class: 'error', role: 'alert' }, error),
      h(FileList, {
        handle: this.#list,
        label: 'Trash',
        titles: { name: 'Path', type: 'How', written: 'When' },
        rows,
        column,
        descending,
        chosen,
        focus,
        empty: loading ? '' : search === '' ? 'The trash is empty.' : 'Nothing here has this in its path.',
        onSort: this.#sort,
        onOpen: (/** @type {import('./entries.js').Entry} */ { place }) =>
          this.setState({ focus: place, chosen: new Set([place]) }),
        onFocus: (/** @type {string} */ place) => this.setState({ focus: place }),
        onChoose: (/** @type {ReadonlySet<string>} */ places) => this.setState({ chosen: places }),
        onAction: this.#act,
      }),
      dialog?.(),
    )
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return String(/** @type {Error} */ (error).message)
}
