/**
 * The files: a folder as a list of any length, by hand and by keyboard, and what can be done with what is chosen.
 */
import { fileUrl, list } from './api.js'
import { filesIn, moveAll, removeAll, restoreAll } from './deeds.js'
import { ConfirmDialog, closeButton, NameDialog, ProgressDialog, ShareDialog, toolButton } from './dialogs.js'
import { pickedFrom, pickedFromInput } from './drop.js'
import { arranged, entryOf } from './entries.js'
import { FileList } from './file-list.js'
import { counted, nameOf, parentOf } from './format.js'
import { icon } from './icons.js'
import { Component, createRef, h } from './preact.js'
import { Preview } from './preview.js'
import { UploadPanel } from './upload-panel.js'
import { Uploads } from './uploads.js'

/** A pause in typing after which a search begins, ms. */
const SEARCH_PAUSE_MS = 150

/** Between two looks at a list that is still coming, ms: sorting 100,000 rows takes a tenth of it. */
const SHOW_MS = 400

/**
 * @typedef {object} FilesState
 * @property {import('./entries.js').Entry[]} entries all of the folder
 * @property {import('./entries.js').Entry[]} rows those that are shown, in order
 * @property {boolean} loading
 * @property {string} error
 * @property {import('./entries.js').Column} column
 * @property {boolean} descending
 * @property {string} search
 * @property {boolean} deep
 * @property {ReadonlySet<string>} chosen
 * @property {string} focus
 * @property {import('./entries.js').Entry | null} preview
 * @property {readonly string[]} removed what was deleted last, and can be brought back
 * @property {string} said what came of that
 * @property {(() => unknown) | null} dialog
 * @property {boolean} over something is held over the page
 */

/** Properties: folder, access, onOpen(folder). */
export class Files extends Component {
  /** @type {FilesState} */
  state = {
    entries: [],
    rows: [],
    loading: true,
    error: '',
    column: 'name',
    descending: false,
    search: '',
    deep: false,
    chosen: new Set(),
    focus: '',
    preview: null,
    removed: [],
    said: '',
    dialog: null,
    over: false,
  }
  #loading = new AbortController()
  #searchTimer = 0
  #reloadTimer = 0
  #search = createRef()
  #list = createRef()
  #fileInput = createRef()
  #folderInput = createRef()
  #uploads = new Uploads({ onChange: () => this.setState({}), onDone: () => this.#reloadSoon() })

  get folder() {
    return /** @type {string} */ (/** @type {any} */ (this.props).folder)
  }

  get mayWrite() {
    return /** @type {any} */ (this.props).access.access === 'write'
  }

  get hasTrash() {
    return /** @type {boolean} */ (/** @type {any} */ (this.props).access.trash)
  }

  get needsToken() {
    return /** @type {boolean} */ (/** @type {any} */ (this.props).access.tokens)
  }

  componentDidMount() {
    document.addEventListener('keydown', this.#onKey)
    void this.#load()
  }

  componentWillUnmount() {
    document.removeEventListener('keydown', this.#onKey)
    this.#loading.abort()
  }

  /** @param {any} before */
  componentDidUpdate(before) {
    if (before.folder === this.folder) return
    this.setState({
      search: '',
      deep: false,
      chosen: new Set(),
      preview: null,
      focus: before.folder.startsWith(this.folder) ? this.#childOf(before.folder) : '',
      entries: [],
      rows: [],
    })
    void this.#load({ deep: false })
  }

  /** The row of this folder that leads to a deeper one. @param {string} deeper */
  #childOf(deeper) {
    const rest = deeper.slice(this.folder.length)
    return this.folder + rest.slice(0, rest.indexOf('/') + 1)
  }

  async #load({ deep = this.state.deep } = {}) {
    this.#loading.abort()
    const loading = new AbortController()
    this.#loading = loading
    const { folder } = this
    /** @type {import('./entries.js').Entry[]} */
    const entries = []
    this.setState({ loading: true, error: '' })
    let shownAt = performance.now()
    try {
      for await (const batch of list(folder, { deep, signal: loading.signal })) {
        for (const listed of batch) entries.push(entryOf(listed, folder.length))
        if (performance.now() - shownAt < SHOW_MS || entries.length < this.state.entries.length) continue
        this.#arrange({ entries: entries.slice() })
        shownAt = performance.now()
      }
      if (!loading.signal.aborted) this.#arrange({ entries, loading: false })
    } catch (error) {
      if (!loading.signal.aborted)
        this.setState({ loading: false, error: String(/** @type {Error} */ (error).message) })
    }
  }

  /** @param {Partial<FilesState>} change */
  #arrange(change) {
    this.setState((/** @type {FilesState} */ before) => {
      const after = { ...before, ...change }
      return { ...change, rows: arranged(after.entries, after) }
    })
  }

  #reloadSoon() {
    clearTimeout(this.#reloadTimer)
    this.#reloadTimer = setTimeout(() => void this.#load(), 300)
  }

  /** @param {any} event */
  #onSearch = ({ target }) => {
    const search = target.value
    this.setState({ search })
    clearTimeout(this.#searchTimer)
    this.#searchTimer = setTimeout(() => this.#arrange({ search }), SEARCH_PAUSE_MS)
  }

  #setDeep = () => {
    const deep = !this.state.deep
    this.setState({ deep, chosen: new Set() })
    void this.#load({ deep })
  }

  /** @param {import('./entries.js').Column} column */
  #sort = column => {
    const descending =
      this.state.column === column ? !this.state.descending : column === 'size' || column === 'written'
    this.#arrange({ column, descending })
  }

  /** @param {KeyboardEvent} event */
  #onKey = event => {
    const target = /** @type {HTMLElement} */ (event.target)
    if (this.state.dialog || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return
    if (event.key === '/' && !event.ctrlKey && !event.metaKey) {
      event.preventDefault()
      this.#search.current.focus()
    } else if (event.key === 'Escape' && this.state.preview) {
      this.setState({ preview: null })
      this.#list.current.focus()
    } else if (event.key === 'z' && (event.ctrlKey || event.metaKey) && this.state.removed.length > 0) {
      event.preventDefault()
      void this.#undo()
    } else if (event.key === 'Backspace' && this.folder !== '') {
      event.preventDefault()
      this.#open(parentOf(this.folder))
    }
  }

  /** @param {string} folder */
  #open(folder) {
    /** @type {any} */
    this.props.onOpen(folder)
  }

  /** @param {import('./entries.js').Entry} entry */
  #openEntry = entry => {
    if (entry.isFolder) this.#open(entry.place)
    else this.setState({ preview: entry, focus: entry.place })
  }

  /** What an action is for: what is chosen, else the file that is looked at. */
  get #places() {
    const { chosen, preview, focus } = this.state
    if (chosen.size > 0) return [...chosen]
    return preview ? [preview.place] : focus ? [focus] : []
  }

  /** @param {string} name @param {string[]} [places] */
  #act = (name, places = this.#places) => {
    const [place] = places
    if (place === undefined) return
    const onClose = () => this.setState({ dialog: null })
    const show = (/** @type {() => unknown} */ dialog) => this.setState({ dialog })
    if (name === 'download') void this.#download(places)
    if (!this.mayWrite) return
    if (name === 'share') show(() => h(ShareDialog, { place, onClose }))
    if (name === 'rename') {
      const value = nameOf(place)
      const onName = (/** @type {string} */ to) => void this.#rename(place, to)
      show(() => h(NameDialog, { title: 'Rename', label: 'Name', verb: 'Rename', value, onClose, onName }))
    }
    if (name === 'remove') void this.#askRemove(places)
  }

  /** @param {string[]} places */
  async #download(places) {
    const stop = new AbortController()
    try {
      const paths = await filesIn(places, stop.signal)
      for (const path of paths) {
        const link = document.createElement('a')
        link.href = await fileUrl(path, this.needsToken, true)
        link.download = nameOf(path)
        link.click()
        // Browsers drop downloads that begin in the same moment.
        if (paths.length > 1) await new Promise(resolve => setTimeout(resolve, 250))
      }
    } catch (error) {
      this.setState({ error: String(/** @type {Error} */ (error).message) })
    }
  }

  /** @param {string[]} places */
  async #askRemove(places) {
    const onClose = () => this.setState({ dialog: null })
    const only =
      places.length === 1
        ? `“${nameOf(/** @type {string} */ (places[0]))}”`
        : counted(places.length, 'entry', 'entries')
    const folders = places.some(place => place.endsWith('/'))
    const text = `${only} will be deleted${folders ? ', with every file in it' : ''}. ${this.hasTrash ? 'It can be brought back from the trash until its time is over.' : 'It cannot be brought back: this network keeps no trash.'}`
    const onYes = () => void this.#remove(places)
    this.setState({
      dialog: () => h(ConfirmDialog, { title: 'Delete', text, verb: 'Delete', onClose, onYes }),
    })
  }

  /** @param {string[]} places */
  async #remove(places) {
    /** @type {string[]} */
    const removed = []
    await this.#deed('Deleting', places, (paths, options) => removeAll(paths, options, removed))
    if (removed.length > 0 && this.hasTrash)
      this.setState({ removed, said: `${counted(removed.length, 'file')} deleted.` })
  }

  #undo = async () => {
    const { removed } = this.state
    /** @type {{ path: string }[]} */
    const taken = []
    await this.#deed('Restoring', [...removed], (paths, options) =>
      restoreAll(
        paths.map(path => ({ path })),
        options,
        taken,
      ),
    )
    const said = `${counted(removed.length - taken.length, 'file')} restored.`
    this.setState({
      said:
        taken.length === 0 ? said : `${said} ${counted(taken.length, 'path is', 'paths are')} in use by now.`,
    })
  }

  /** @param {string} place @param {string} name */
  #rename(place, name) {
    const isFolder = place.endsWith('/')
    const to = parentOf(place) + name + (isFolder ? '/' : '')
    return this.#deed('Renaming', [place], (paths, options) =>
      moveAll(paths, { from: place, to, ...options }),
    )
  }

  /**
   * @param {string} title
   * @param {string[]} places
   * @param {(paths: string[], options: { signal: AbortSignal, onProgress: (done: number) => void }) => Promise<void>} run
   */
  async #deed(title, places, run) {
    const stop = new AbortController()
    const onCancel = () => {
      stop.abort()
      this.setState({ dialog: null })
    }
    const show = (/** @type {object} */ state) =>
      !stop.signal.aborted &&
      this.setState({ dialog: () => h(ProgressDialog, { title, onCancel, done: 0, all: 0, ...state }) })
    show({})
    this.setState({ removed: [], said: '' })
    let all = 0
    try {
      const paths = await filesIn(places, stop.signal)
      all = paths.length
      show({ all })
      await run(paths, { signal: stop.signal, onProgress: done => show({ done, all }) })
      if (!stop.signal.aborted) this.setState({ dialog: null })
    } catch (error) {
      show({ error: String(/** @type {Error} */ (error).message), all })
    }
    this.setState({ chosen: new Set(), preview: null })
    await this.#load()
    this.#list.current?.focus()
  }

  #newFolder = () => {
    const onClose = () => this.setState({ dialog: null })
    const onName = (/** @type {string} */ name) => {
      onClose()
      this.#open(`${this.folder}${name}/`)
    }
    const dialog = () => h(NameDialog, { title: 'New folder', label: 'Name', verb: 'Open', onClose, onName })
    this.setState({ dialog })
  }

  /** @param {DragEvent} event */
  #onDrag = event => {
    if (!this.mayWrite || !event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    const over =
      event.type !== 'dragleave' ||
      /** @type {Element} */ (event.currentTarget).contains(/** @type {Node} */ (event.relatedTarget))
    if (over !== this.state.over) this.setState({ over })
  }

  /** @param {DragEvent} event */
  #onDrop = async event => {
    event.preventDefault()
    this.setState({ over: false })
    if (!this.mayWrite || !event.dataTransfer) return
    const { folder } = this
    this.#uploads.add(await pickedFrom(event.dataTransfer), folder)
  }

  #upload = (/** @type {any} */ { target }) => {
    this.#uploads.add(pickedFromInput(target.files), this.folder)
    target.value = ''
  }

  #crumbs() {
    const segments = this.folder.split('/').filter(Boolean)
    const link = (/** @type {string} */ name, /** @type {string} */ folder, /** @type {boolean} */ isLast) =>
      h(
        'li',
        { key: folder },
        h(
          'a',
          {
            href: `#/files/${folder.split('/').map(encodeURIComponent).join('/')}`,
            'aria-current': isLast ? 'page' : undefined,
          },
          name,
        ),
      )
    return h(
      'nav',
      { class: 'crumbs', 'aria-label': 'Folder' },
      h(
        'ol',
        null,
        link('All files', '', segments.length === 0),
        segments.map((name, at) =>
          link(name, `${segments.slice(0, at + 1).join('/')}/`, at === segments.length - 1),
        ),
      ),
    )
  }

  #toolbar() {
    const { search, deep, chosen } = this.state
    const one = chosen.size === 1
    return h(
      'div',
      { class: 'toolbar' },
      chosen.size > 0
        ? h(
            'div',
            { class: 'chosen', role: 'toolbar', 'aria-label': 'What is chosen' },
            h('strong', null, `${chosen.size.toLocaleString('en')} chosen`),
            toolButton('download', 'Download', () => this.#act('download')),
            this.mayWrite && [
              one && toolButton('share', 'Share', () => this.#act('share')),
              one && toolButton('rename', 'Rename', () => this.#act('rename')),
              toolButton('remove', 'Delete', () => this.#act('remove'), 'danger-text'),
            ],
            toolButton('close', 'Clear', () => this.setState({ chosen: new Set() })),
          )
        : this.mayWrite &&
            h(
              'div',
              { class: 'chosen' },
              toolButton('upload', 'Upload', () => this.#fileInput.current.click(), 'primary'),
              toolButton('folder', 'Upload a folder', () => this.#folderInput.current.click()),
              toolButton('add', 'New folder', this.#newFolder),
            ),
      h(
        'div',
        { class: 'search' },
        icon('search'),
        h('input', {
          ref: this.#search,
          type: 'search',
          placeholder: deep ? 'Search in all folders below' : 'Search in this folder',
          'aria-label': 'Search',
          value: search,
          onInput: this.#onSearch,
          onKeyDown: (/** @type {KeyboardEvent} */ event) => {
            if (event.key === 'Escape' || event.key === 'ArrowDown' || event.key === 'Enter')
              this.#list.current.focus()
          },
        }),
        h(
          'label',
          { class: 'deep' },
          h('input', { type: 'checkbox', checked: deep, onChange: this.#setDeep }),
          'below too',
        ),
      ),
    )
  }

  #receipt() {
    const { removed, said } = this.state
    if (said === '') return null
    return h(
      'p',
      { class: 'receipt', role: 'status' },
      said,
      removed.length > 0 && h('button', { type: 'button', class: 'small', onClick: this.#undo }, 'Undo'),
      closeButton(() => this.setState({ removed: [], said: '' })),
    )
  }

  render() {
    const {
      rows,
      entries,
      loading,
      error,
      column,
      descending,
      search,
      chosen,
      focus,
      preview,
      dialog,
      over,
    } = this.state
    const counts =
      rows.length === entries.length
        ? counted(rows.length, 'entry', 'entries')
        : `${rows.length.toLocaleString('en')} of ${counted(entries.length, 'entry', 'entries')}`
    return h(
      'main',
      {
        class: `files${over ? ' over' : ''}${preview ? ' with-preview' : ''}`,
        onDragEnter: this.#onDrag,
        onDragOver: this.#onDrag,
        onDragLeave: this.#onDrag,
        onDrop: this.#onDrop,
      },
      h(
        'div',
        { class: 'head' },
        this.#crumbs(),
        h('span', { class: 'faint count', role: 'status' }, loading ? `${counts}…` : counts),
      ),
      this.#toolbar(),
      error !== '' && h('p', { class: 'error', role: 'alert' }, error),
      h(FileList, {
        handle: this.#list,
        label: 'Files',
        rows,
        column,
        descending,
        chosen,
        focus,
        empty: loading
          ? ''
          : search !== ''
            ? 'Nothing here has this in its name.'
            : this.mayWrite
              ? 'Nothing is here yet. Drop files or a folder.'
              : 'Nothing is here.',
        onSort: this.#sort,
        onOpen: this.#openEntry,
        onFocus: (/** @type {string} */ place) => this.setState({ focus: place }),
        onChoose: (/** @type {ReadonlySet<string>} */ places) => this.setState({ chosen: places }),
        onAction: this.#act,
      }),
      preview &&
        h(Preview, {
          entry: preview,
          needsToken: this.needsToken,
          mayWrite: this.mayWrite,
          onClose: () => this.setState({ preview: null }),
          onAction: (/** @type {string} */ name) => this.#act(name, [preview.place]),
        }),
      over &&
        h('div', { class: 'drop-here' }, icon('upload'), `Drop to upload into ${this.folder || 'all files'}`),
      this.#receipt(),
      h(UploadPanel, { uploads: this.#uploads }),
      h('input', {
        ref: this.#fileInput,
        type: 'file',
        multiple: true,
        hidden: true,
        onChange: this.#upload,
        'data-picks': 'files',
      }),
      h('input', {
        ref: this.#folderInput,
        type: 'file',
        webkitdirectory: true,
        hidden: true,
        onChange: this.#upload,
        'data-picks': 'folder',
      }),
      dialog?.(),
    )
  }
}
