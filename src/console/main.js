/**
 * The page as a whole: login, the three views, and which of them the address names.
 */
import { access, Refusal, token } from './api.js'
import { Files } from './files.js'
import { icon } from './icons.js'
import { NetworkView } from './network.js'
import { Component, createRef, h, render } from './preact.js'
import { Trash } from './trash.js'

/** @returns {{ view: 'files' | 'trash' | 'network', folder: string }} */
function placeOfHash() {
  const [view, ...rest] = location.hash.replace(/^#\/?/, '').split('/')
  if (view === 'network' || view === 'trash') return { view, folder: '' }
  try {
    const folder = rest.map(decodeURIComponent).filter(Boolean).join('/')
    return { view: 'files', folder: folder === '' ? '' : `${folder}/` }
  } catch {
    return { view: 'files', folder: '' }
  }
}

class Login extends Component {
  state = { value: '', error: '', waiting: false }
  #input = createRef()

  componentDidMount() {
    this.#input.current.focus()
  }

  async #enter() {
    const { onEnter } = /** @type {any} */ (this.props)
    token.value = this.state.value.trim()
    this.setState({ waiting: true, error: '' })
    try {
      onEnter(await access())
    } catch (error) {
      token.value = ''
      const { status, message } = /** @type {Refusal} */ (error)
      this.setState({ waiting: false, error: status === 401 ? 'This token is unknown here.' : message })
      this.#input.current.select()
    }
  }

  render() {
    const { value, error, waiting } = this.state
    const onSubmit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault()
      void this.#enter()
    }
    return h(
      'main',
      { class: 'login' },
      h(
        'form',
        { class: 'card', onSubmit },
        h('img', { src: 'icon.svg', alt: '', width: 40, height: 40 }),
        h('h1', null, 'altered-chord'),
        h(
          'label',
          null,
          'Token',
          h('input', {
            ref: this.#input,
            type: 'password',
            autocomplete: 'current-password',
            value,
            onInput: (/** @type {any} */ { target }) => this.setState({ value: target.value }),
          }),
        ),
        error !== '' && h('p', { class: 'error', role: 'alert' }, error),
        h(
          'button',
          { type: 'submit', class: 'primary', disabled: waiting || value.trim() === '' },
          icon('key'),
          'Enter',
        ),
        h('p', { class: 'faint' }, 'It stays in this tab and is gone when you close it.'),
      ),
    )
  }
}

class App extends Component {
  state = {
    access: /** @type {import('./api.js').Access | null} */ (null),
    /** @type {'asking' | 'login' | 'in'} */
    stage: 'asking',
    error: '',
    ...placeOfHash(),
  }

  componentDidMount() {
    addEventListener('hashchange', () => this.setState(placeOfHash()))
    void this.#begin()
  }

  async #begin() {
    try {
      this.setState({ access: await access(), stage: 'in' })
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) this.setState({ stage: 'login' })
      else this.setState({ error: String(/** @type {Error} */ (error).message) })
    }
  }

  #leave = () => {
    token.value = ''
    this.setState({ stage: 'login', access: null })
  }

  #header() {
    const { view, access: can } = this.state
    const tab = (/** @type {string} */ name, /** @type {string} */ label) =>
      h('a', { href: `#/${name}`, 'aria-current': view === name ? 'page' : undefined }, label)
    return h(
      'header',
      { class: 'top' },
      h(
        'a',
        { class: 'brand', href: '#/files' },
        h('img', { src: 'icon.svg', alt: '', width: 22, height: 22 }),
        h('span', null, 'altered-chord'),
      ),
      h(
        'nav',
        { 'aria-label': 'Views' },
        tab('files', 'Files'),
        can?.trash && tab('trash', 'Trash'),
        tab('network', 'Network'),
      ),
      h('span', { class: 'where faint' }, location.host),
      can?.access === 'read' && h('span', { class: 'badge read-only' }, 'read only'),
      can?.tokens &&
        h(
          'button',
          {
            type: 'button',
            class: 'bare',
            onClick: this.#leave,
            title: 'Sign out',
            'aria-label': 'Sign out',
          },
          icon('leave'),
        ),
    )
  }

  render() {
    const { stage, access: can, error, view, folder } = this.state
    if (error !== '') return h('main', { class: 'login' }, h('p', { class: 'error', role: 'alert' }, error))
    if (stage === 'login')
      return h(Login, {
        onEnter: (/** @type {import('./api.js').Access} */ access) => this.setState({ access, stage: 'in' }),
      })
    if (stage === 'asking' || can === null) return null
    const onOpen = (/** @type {string} */ to) => {
      location.hash = `#/files/${to.split('/').map(encodeURIComponent).join('/')}`
    }
    return [
      this.#header(),
      view === 'network'
        ? h(NetworkView, { key: 'network' })
        : view === 'trash'
          ? h(Trash, { key: 'trash', access: can })
          : h(Files, { key: 'files', folder, access: can, onOpen }),
    ]
  }
}

render(h(App), /** @type {HTMLElement} */ (document.getElementById('root')))
