/**
 * Uploads: a queue, a few at a time, with progress, cancel, and a question where a file is there already.
 */
import { authorization, drawKey, encodePath, exists, Refusal, refusalOf, urlOf } from './api.js'

/**
 * `asks`: a file is at that path, and somebody has to say what to do.
 * @typedef {'waiting' | 'sending' | 'done' | 'asks' | 'skipped' | 'cancelled' | 'failed'} UploadState
 * @typedef {object} Upload
 * @property {string} path
 * @property {File} file
 * @property {UploadState} state
 * @property {number} sent bytes
 * @property {string} message why it failed
 * @property {boolean} overwrite
 * @property {XMLHttpRequest} [request]
 */

/** Browsers open six connections to a node; some are left for the lists. */
const AT_ONCE = 3

/** Tries of one upload; the pauses between them double from half a second. */
const TRIES_MAX = 6

/** Larger files are sent only once it is known that nothing stands in their place. */
const ASK_FIRST_BYTES = 256 * 1024

const OVER = new Set(['done', 'skipped', 'cancelled', 'failed'])

export class Uploads {
  /** @type {Upload[]} */
  all = []
  /** What is done where a file is there: a question, until somebody said it for all. @type {'ask' | 'replace' | 'skip'} */
  policy = 'ask'
  #running = 0
  #onChange
  #onDone
  #scheduled = false

  /** @param {{ onChange: () => void, onDone: (path: string) => void }} listeners */
  constructor({ onChange, onDone }) {
    this.#onChange = onChange
    this.#onDone = onDone
  }

  /** @param {readonly import('./drop.js').Picked[]} picked @param {string} folder */
  add(picked, folder) {
    if (!this.isBusy) this.clear()
    for (const { path, file } of picked)
      this.all.push({ path: folder + path, file, state: 'waiting', sent: 0, message: '', overwrite: false })
    this.#go()
  }

  get isBusy() {
    return this.all.some(({ state }) => !OVER.has(state))
  }

  get progress() {
    let [bytes, sent, files, done, failed] = [0, 0, 0, 0, 0]
    for (const { file, state, sent: part } of this.all) {
      files++
      bytes += file.size
      sent += OVER.has(state) ? file.size : part
      if (OVER.has(state)) done++
      if (state === 'failed') failed++
    }
    return { bytes, sent, files, done, failed }
  }

  /** @param {Upload} upload */
  cancel(upload) {
    if (OVER.has(upload.state)) return
    upload.state = 'cancelled'
    upload.request?.abort()
    this.#changed()
  }

  cancelAll() {
    for (const upload of this.all) this.cancel(upload)
  }

  /** @param {Upload} upload @param {'replace' | 'skip'} answer @param {boolean} forAll */
  answer(upload, answer, forAll) {
    if (forAll) this.policy = answer
    for (const one of forAll ? this.all : [upload]) {
      if (one.state !== 'asks') continue
      one.overwrite = answer === 'replace'
      one.state = answer === 'replace' ? 'waiting' : 'skipped'
    }
    this.#go()
  }

  /** @param {Upload} upload */
  retry(upload) {
    upload.state = 'waiting'
    upload.sent = 0
    this.#go()
  }

  clear() {
    this.all = []
    this.policy = 'ask'
    this.#changed()
  }

  #go() {
    this.#changed()
    while (this.#running < AT_ONCE) {
      const next = this.all.find(({ state }) => state === 'waiting')
      if (next === undefined) return
      this.#running++
      next.state = 'sending'
      void this.#run(next).finally(() => {
        this.#running--
        this.#go()
      })
    }
  }

  /** @param {Upload} upload */
  async #run(upload) {
    const key = drawKey()
    for (let tries = 1; upload.state === 'sending'; tries++) {
      try {
        const asksFirst = !upload.overwrite && upload.file.size > ASK_FIRST_BYTES
        if (asksFirst && (await exists(upload.path))) throw new Refusal(409, 'FILE_EXISTS', '')
        await this.#send(upload, key)
        if (upload.state !== 'sending') return
        upload.state = 'done'
        this.#onDone(upload.path)
      } catch (error) {
        // A cancelled one has ended by itself.
        if (upload.state !== 'sending') return
        if (error instanceof Refusal && error.code === 'FILE_EXISTS') return this.#meet(upload)
        const passes = !(error instanceof Refusal) || [429, 502, 503].includes(error.status)
        if (!passes || tries === TRIES_MAX) {
          upload.state = 'failed'
          upload.message = error instanceof Error ? error.message : String(error)
          return
        }
        upload.sent = 0
        this.#changed()
        await new Promise(resolve => setTimeout(resolve, 250 * 2 ** tries))
      }
    }
  }

  /** A file is there. @param {Upload} upload */
  #meet(upload) {
    upload.sent = 0
    if (this.policy === 'skip') upload.state = 'skipped'
    else if (this.policy === 'ask') upload.state = 'asks'
    else {
      upload.overwrite = true
      upload.state = 'waiting'
    }
  }

  /** @param {Upload} upload @param {string} key @returns {Promise<void>} */
  #send(upload, key) {
    return new Promise((resolve, reject) => {
      // fetch tells nothing of how far a body has come.
      const request = new XMLHttpRequest()
      upload.request = request
      request.open('PUT', urlOf(`put/${encodePath(upload.path)}${upload.overwrite ? '?overwrite=true' : ''}`))
      for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value)
      request.setRequestHeader('idempotency-key', upload.overwrite ? `${key}-replace` : key)
      request.setRequestHeader('content-type', upload.file.type || 'application/octet-stream')
      request.upload.onprogress = ({ loaded }) => {
        upload.sent = loaded
        this.#changed()
      }
      request.onload = () => {
        if (request.status < 300) resolve()
        else reject(refusalOf(request.status, request.responseText))
      }
      request.onerror = () => reject(new Error('The connection broke.'))
      request.onabort = () => reject(new Error('cancelled'))
      request.send(upload.file)
    })
  }

  /** Progress comes a thousand times a second; a screen shows sixty. */
  #changed() {
    if (this.#scheduled) return
    this.#scheduled = true
    requestAnimationFrame(() => {
      this.#scheduled = false
      this.#onChange()
    })
  }
}
