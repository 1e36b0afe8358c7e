/**
 * The list itself: of any number of rows only those in sight are drawn; arrows, space and enter do what a hand does.
 */
import { rowsInSight } from './entries.js'
import { date, size } from './format.js'
import { icon } from './icons.js'
import { Component, createRef, h } from './preact.js'

/** Height of a row, pixels; a finger wants more. console.css has the same. */
const ROW = matchMedia('(pointer: coarse)').matches ? 48 : 36

/** The tallest element that browsers draw rightly, pixels; 100,000 rows stay far below it. */
const HEIGHT_MAX = 15_000_000

const COLUMNS = /** @type {const} */ ([
  ['name', 'Name'],
  ['size', 'Size'],
  ['type', 'Type'],
  ['written', 'Written'],
])

/** Properties: handle, label, titles (of columns that are called otherwise), rows, column, descending, chosen, focus, empty, onSort, onOpen, onFocus, onChoose, onAction. */
export class FileList extends Component {
  state = { top: 0, height: 600 }
  #body = createRef()
  /** @type {ResizeObserver | undefined} */
  #watch
  /** Where a choice of many rows begins. */
  #anchor = ''

  componentDidMount() {
    const element = this.#body.current
    const { handle } = /** @type {any} */ (this.props)
    handle.current = element
    this.#watch = new ResizeObserver(() => this.setState({ height: element.clientHeight }))
    this.#watch.observe(element)
    document.addEventListener('keydown', this.#onKeyAnywhere)
  }

  componentWillUnmount() {
    this.#watch?.disconnect()
    document.removeEventListener('keydown', this.#onKeyAnywhere)
  }

  /** Of what a hand means by "all", it is the rows, wherever the focus is; only in a text field it is the text. @param {KeyboardEvent} event */
  #onKeyAnywhere = event => {
    const target = /** @type {HTMLElement} */ (event.target)
    const isText = target.matches('textarea, select, input:not([type=checkbox])')
    if (event.key !== 'a' || !(event.ctrlKey || event.metaKey)) return
    if (isText || document.querySelector('dialog[open]') !== null) return
    event.preventDefault()
    this.#chooseAll()
  }

  #chooseAll() {
    const { rows, onChoose } = /** @type {any} */ (this.props)
    onChoose(new Set(rows.map((/** @type {any} */ one) => one.place)))
  }

  /** @param {any} before */
  componentDidUpdate(before) {
    const { focus, rows } = /** @type {any} */ (this.props)
    if (focus !== before.focus && focus !== '')
      this.#reveal(rows.findIndex((/** @type {any} */ row) => row.place === focus))
  }

  /** @param {number} at */
  #reveal(at) {
    const element = this.#body.current
    if (at < 0) return
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW
    const below = (at + 1) * ROW - element.clientHeight
    if (below > element.scrollTop) element.scrollTop = below
  }

  /** @param {KeyboardEvent} event */
  #onKey = event => {
    const { rows, focus, chosen, onOpen, onFocus, onChoose, onAction } = /** @type {any} */ (this.props)
    const at = rows.findIndex((/** @type {any} */ row) => row.place === focus)
    const page = Math.max(1, Math.floor(this.state.height / ROW) - 1)
    /** @type {Record<string, number>} */
    const steps = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    }
    const step = steps[event.key]
    const row = rows[at]
    if (step !== undefined && rows.length > 0) {
      const to = rows[Math.min(rows.length - 1, Math.max(0, step))]
      onFocus(to.place)
      if (event.shiftKey) this.#chooseTo(to.place)
      else this.#anchor = to.place
    } else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) this.#chooseAll()
    else if (event.key === 'Escape' && chosen.size > 0) onChoose(new Set())
    else if (row === undefined) return
    else if (event.key === 'Enter') onOpen(row)
    else if (event.key === ' ') this.#toggle(row.place)
    else if (event.key === 'Delete') onAction('remove')
    else if (event.key === 'F2') onAction('rename')
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  /** @param {string} place */
  #toggle(place) {
    const { chosen, onChoose } = /** @type {any} */ (this.props)
    const next = new Set(chosen)
    if (!next.delete(place)) next.add(place)
    this.#anchor = place
    onChoose(next)
  }

  /** @param {string} place */
  #chooseTo(place) {
    const { rows, onChoose } = /** @type {any} */ (this.props)
    const places = rows.map((/** @type {any} */ row) => row.place)
    const [from, to] = [places.indexOf(this.#anchor), places.indexOf(place)].sort((a, b) => a - b)
    onChoose(new Set(places.slice(Math.max(0, from ?? 0), (to ?? 0) + 1)))
  }

  /** @param {any} event @param {import('./entries.js').Entry} row */
  #onClick(event, row) {
    const { onOpen, onFocus } = /** @type {any} */ (this.props)
    onFocus(row.place)
    if (event.target.closest('.check')) {
      if (event.shiftKey) this.#chooseTo(row.place)
      else this.#toggle(row.place)
    } else if (event.shiftKey) this.#chooseTo(row.place)
    else if (event.ctrlKey || event.metaKey) this.#toggle(row.place)
    else onOpen(row)
  }

  #head() {
    const {
      titles = {},
      rows,
      column,
      descending,
      chosen,
      onSort,
      onChoose,
    } = /** @type {any} */ (this.props)
    const all = rows.length > 0 && chosen.size === rows.length
    const toggle = () => onChoose(new Set(all ? [] : rows.map((/** @type {any} */ row) => row.place)))
    return h(
      'div',
      { class: 'row titles', role: 'row' },
      h(
        'span',
        { class: 'check', role: 'columnheader' },
        h('input', { type: 'checkbox', checked: all, onChange: toggle, 'aria-label': 'Choose all' }),
      ),
      COLUMNS.map(([name, label]) =>
        h(
          'span',
          {
            key: name,
            class: name,
            role: 'columnheader',
            'aria-sort': column === name ? (descending ? 'descending' : 'ascending') : 'none',
          },
          h(
            'button',
            { type: 'button', onClick: () => onSort(name) },
            titles[name] ?? label,
            h(
              'span',
              { class: 'arrow', 'aria-hidden': 'true' },
              column === name ? (descending ? '↓' : '↑') : '',
            ),
          ),
        ),
      ),
    )
  }

  /** @param {import('./entries.js').Entry} row @param {number} at */
  #row(row, at) {
    const { chosen, focus } = /** @type {any} */ (this.props)
    const isChosen = chosen.has(row.place)
    return h(
      'div',
      {
        key: row.place,
        id: `row-${at}`,
        class: `row${isChosen ? ' is-chosen' : ''}${focus === row.place ? ' is-focus' : ''}`,
        role: 'row',
        'aria-rowindex': at + 2,
        'aria-selected': isChosen,
        style: { transform: `translateY(${at * ROW}px)` },
        onClick: (/** @type {any} */ event) => this.#onClick(event, row),
      },
      h(
        'span',
        { class: 'check', role: 'gridcell' },
        h('input', { type: 'checkbox', checked: isChosen, tabIndex: -1, 'aria-label': `Choose ${row.name}` }),
      ),
      h(
        'span',
        { class: `name${row.isFolder ? ' folder' : ''}`, role: 'gridcell' },
        icon(row.isFolder ? 'folder' : row.type.startsWith('image/') ? 'image' : 'file'),
        h('span', { title: row.name }, row.name),
      ),
      h('span', { class: 'size', role: 'gridcell' }, row.isFolder ? '' : size(row.size)),
      h('span', { class: 'type', role: 'gridcell' }, row.isFolder ? 'Folder' : row.type),
      h('span', { class: 'written', role: 'gridcell' }, row.isFolder ? '' : date(row.written)),
    )
  }

  render() {
    const { label, rows, focus, empty } = /** @type {any} */ (this.props)
    const { first, last } = rowsInSight({ ...this.state, row: ROW, count: rows.length })
    const at = rows.findIndex((/** @type {any} */ row) => row.place === focus)
    const drawn = []
    for (let index = first; index < last; index++) drawn.push(this.#row(rows[index], index))
    return h(
      'div',
      {
        class: 'list',
        role: 'grid',
        'aria-rowcount': rows.length + 1,
        'aria-multiselectable': 'true',
        'aria-label': label,
      },
      this.#head(),
      h(
        'div',
        {
          class: 'rows',
          ref: this.#body,
          tabIndex: 0,
          role: 'rowgroup',
          'aria-activedescendant': at >= first && at < last ? `row-${at}` : undefined,
          onKeyDown: this.#onKey,
          onScroll: (/** @type {any} */ { target }) => this.setState({ top: target.scrollTop }),
        },
        h(
          'div',
          { class: 'whole', style: { height: `${Math.min(HEIGHT_MAX, rows.length * ROW)}px` } },
          drawn,
        ),
        rows.length === 0 && empty !== '' && h('p', { class: 'empty' }, empty),
      ),
    )
  }
}
