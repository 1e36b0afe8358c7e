/**
 * Uses the console as a person does, in a real browser, against real nodes.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { runningNetwork, runningNode } from '../running-node.ts'
import { dropFromDisk, noBrowser, openConsole, withBrowser } from './browser.ts'

const TOKEN = 'w'.repeat(24)
const READ_TOKEN = 'r'.repeat(24)
const WRITE = { authorization: `Bearer ${TOKEN}` }

/** Bytes of the whole page, compressed as the browser got it. */
const WEIGHT_MAX = 80 * 1024

async function put(url: string, path: string, body: string, type = 'text/plain') {
  const target = `${url}/put/${path.split('/').map(encodeURIComponent).join('/')}`
  const reply = await fetch(target, { method: 'PUT', body, headers: { ...WRITE, 'content-type': type } })
  if (!reply.ok) throw new Error(await reply.text())
}

const row = (page: Page, name: string) =>
  page.locator('.rows .row', { has: page.getByText(name, { exact: true }) })

t.test('a token opens the console, a wrong one shows nothing', { skip: noBrowser }, async t => {
  const { url } = await runningNode(t, { token: TOKEN, readToken: READ_TOKEN })
  await put(url, 'docs/one.txt', 'one')
  const browser = await withBrowser(t)
  const wrong = await openConsole(browser, url, { token: 'x'.repeat(24) })
  await wrong.page.getByText('This token is unknown here.').waitFor()
  t.equal(await wrong.page.locator('.rows').count(), 0)
  await wrong.page.getByLabel('Token').fill(TOKEN)
  await wrong.page.keyboard.press('Enter')
  await row(wrong.page, 'docs').waitFor()
  t.ok(wrong.page.url().startsWith(`${url}/console/`), 'a browser at / was sent to the console')
  await wrong.page.getByLabel('Sign out').click()
  await wrong.page.getByLabel('Token').waitFor()
  t.same(wrong.misdeeds, [])

  const reader = await openConsole(browser, url, { token: READ_TOKEN, hash: '#/files/docs/' })
  await row(reader.page, 'one.txt').click()
  await reader.page.locator('.preview pre').getByText('one').waitFor()
  for (const name of ['Upload', 'Upload a folder', 'New folder', 'Share', 'Rename', 'Delete'])
    t.equal(
      await reader.page.getByRole('button', { name, exact: true }).count(),
      0,
      `no ${name} for who reads`,
    )
  t.equal(await reader.page.getByRole('button', { name: 'Download' }).count(), 1)
})

t.test(
  'a folder that is dropped from the disk goes in with all that is in it',
  { skip: noBrowser },
  async t => {
    const { url } = await runningNode(t, { token: TOKEN })
    const disk = t.testdir({})
    const paths: string[] = []
    for (let i = 0; i < 50; i++) paths.push(`holiday/${['', 'a/', 'a/deep/', 'b c/', 'ü/'][i % 5]}${i}.txt`)
    // More in one folder than a browser tells at once.
    for (let i = 0; i < 120; i++) paths.push(`holiday/many/${i}.txt`)
    for (const path of paths) {
      mkdirSync(dirname(join(disk, path)), { recursive: true })
      writeFileSync(join(disk, path), `bytes of ${path}`)
    }
    mkdirSync(join(disk, 'holiday/empty'))
    writeFileSync(join(disk, 'beside.txt'), 'beside')
    const browser = await withBrowser(t)
    const { page, misdeeds } = await openConsole(browser, url, { token: TOKEN, hash: '#/files/in/' })
    await page.getByText('Nothing is here yet').waitFor()
    await dropFromDisk(page, [join(disk, 'holiday'), join(disk, 'beside.txt')])
    await page.getByText('171 uploads finished').waitFor()
    await row(page, 'holiday').waitFor()
    await row(page, 'beside.txt').waitFor()
    const listed = (await (await fetch(`${url}/list/in/?limit=1000`, { headers: WRITE })).json()) as {
      files: { path: string }[]
    }
    t.same(
      listed.files.map(({ path }) => path),
      ['beside.txt', ...paths]
        .map(path => `in/${path}`)
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    )
    for (const path of [paths[2], paths[4], paths[169]] as string[]) {
      const target = `${url}/get/in/${path.split('/').map(encodeURIComponent).join('/')}`
      t.equal(await (await fetch(target, { headers: WRITE })).text(), `bytes of ${path}`)
    }
    t.same(misdeeds, [])
  },
)

t.test(
  'files and folders go in, are looked at, renamed, shared and deleted',
  { skip: noBrowser },
  async t => {
    const { url } = await runningNode(t, { token: TOKEN })
    const folder = t.testdir({})
    const large = randomBytes(20_000_000)
    writeFileSync(join(folder, 'large.bin'), large)
    mkdirSync(join(folder, 'tree/deep'), { recursive: true })
    for (let i = 0; i < 50; i++)
      writeFileSync(join(folder, i % 2 ? 'tree' : 'tree/deep', `${i}.txt`), `file ${i}`)
    const browser = await withBrowser(t)
    const { page, misdeeds } = await openConsole(browser, url, { token: TOKEN })

    await page.getByText('Nothing is here yet').waitFor()
    await page.locator('input[data-picks=files]').setInputFiles(join(folder, 'large.bin'))
    await row(page, 'large.bin').waitFor()
    await page.locator('input[data-picks=folder]').setInputFiles(join(folder, 'tree'))
    await page.getByText('50 uploads finished').waitFor()
    const kept = await fetch(`${url}/get/large.bin`, { headers: WRITE })
    t.ok(large.equals(new Uint8Array(await kept.arrayBuffer())))
    const listed = (await (await fetch(`${url}/list/tree/`, { headers: WRITE })).json()) as {
      files: unknown[]
    }
    t.equal(listed.files.length, 50)
    t.equal(await (await fetch(`${url}/get/tree/deep/48.txt`, { headers: WRITE })).text(), 'file 48')

    await page.evaluate(() => {
      const dropped = new DataTransfer()
      dropped.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }))
      const target = document.querySelector('main') as Element
      for (const type of ['dragenter', 'dragover', 'drop'])
        target.dispatchEvent(new DragEvent(type, { dataTransfer: dropped, bubbles: true, cancelable: true }))
    })
    await row(page, 'dropped.txt').waitFor()
    await page
      .locator('input[data-picks=files]')
      .setInputFiles([{ name: 'dropped.txt', mimeType: 'text/plain', buffer: Buffer.from('again') }])
    await page.getByText('is there already').waitFor()
    await page.getByRole('button', { name: 'Replace', exact: true }).click()
    await page.getByText('1 upload finished').waitFor()
    t.equal(await (await fetch(`${url}/get/dropped.txt`, { headers: WRITE })).text(), 'again')

    await row(page, 'dropped.txt').click()
    await page.locator('.preview pre').getByText('again').waitFor()
    await page.getByRole('button', { name: 'Share' }).click()
    await page.getByRole('button', { name: 'Make a link' }).click()
    const link = page.getByRole('textbox', { name: 'Link' })
    await link.waitFor()
    const stranger = await browser.newContext()
    const shared = await (await stranger.newPage()).goto(await link.inputValue())
    t.equal(await shared?.text(), 'again', 'a profile without a token can read it')
    await page.getByRole('button', { name: 'Close', exact: true }).click()

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ])
    t.equal(download.suggestedFilename(), 'dropped.txt')

    await page.getByRole('button', { name: 'Rename' }).click()
    await page.getByLabel('Name', { exact: true }).fill('other.txt')
    await page.keyboard.press('Enter')
    await row(page, 'other.txt').waitFor()
    await row(page, 'tree').locator('.check').click()
    await page.getByRole('button', { name: 'Rename' }).click()
    await page.getByLabel('Name', { exact: true }).fill('forest')
    await page.keyboard.press('Enter')
    await row(page, 'forest').waitFor()
    t.equal(await (await fetch(`${url}/get/forest/deep/48.txt`, { headers: WRITE })).text(), 'file 48')

    await row(page, 'forest').locator('.check').click()
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByText('with every file in it').waitFor()
    await page.locator('dialog').getByRole('button', { name: 'Delete' }).click()
    await row(page, 'forest').waitFor({ state: 'detached' })
    t.equal(await (await fetch(`${url}/exists/forest/deep/48.txt`, { headers: WRITE })).json(), false)
    t.same(misdeeds, [])
  },
)

t.test('a deletion is undone, and the trash is looked at and emptied', { skip: noBrowser }, async t => {
  const { url } = await runningNode(t, { token: TOKEN, readToken: READ_TOKEN })
  const bodyAt = async (path: string) => (await fetch(`${url}/get/${path}`, { headers: WRITE })).text()
  const trashed = async () =>
    ((await (await fetch(`${url}/trash`, { headers: WRITE })).json()) as { versions: unknown[] }).versions
      .length
  for (let i = 0; i < 5; i++) await put(url, `in/${i}.txt`, `file ${i}`)
  const browser = await withBrowser(t)
  const { page, misdeeds } = await openConsole(browser, url, { token: TOKEN })
  const dialog = page.locator('dialog')
  const remove = async (name: string) => {
    await row(page, name).locator('.check').click()
    await page.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByText('can be brought back').waitFor()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await row(page, name).waitFor({ state: 'detached' })
  }

  await remove('in')
  await page.getByText(/files deleted/).waitFor()
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.getByText(/files restored/).waitFor()
  await row(page, 'in').waitFor()
  for (let i = 0; i < 5; i++) t.equal(await bodyAt(`in/${i}.txt`), `file ${i}`)
  await page.getByRole('button', { name: 'Close' }).click()

  await remove('in')
  await page.locator('.rows').focus()
  await page.keyboard.press('Control+z')
  await row(page, 'in').waitFor()

  await remove('in')
  await put(url, 'in/0.txt', 'another')
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.getByText('1 path is in use by now').waitFor()
  t.equal(await bodyAt('in/0.txt'), 'another')
  t.equal(await bodyAt('in/4.txt'), 'file 4')

  await page.getByRole('link', { name: 'Trash' }).click()
  await row(page, 'in/0.txt').waitFor()
  await page.locator('.rows').focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press(' ')
  await page.getByRole('button', { name: 'Restore' }).click()
  await dialog.getByText('“in/0.txt” is in use by now').waitFor()
  await dialog.getByRole('button', { name: 'Replace' }).click()
  await page.getByText('1 file restored').waitFor()
  t.equal(await bodyAt('in/0.txt'), 'file 0')
  t.equal(await trashed(), 1, 'what was replaced')

  const reader = await openConsole(browser, url, { token: READ_TOKEN, hash: 'console/#/trash' })
  await row(reader.page, 'in/0.txt').click()
  await reader.page.getByText(/Kept until/).waitFor()
  for (const name of ['Restore', 'Delete for good', 'Empty the trash'])
    t.equal(await reader.page.getByRole('button', { name }).count(), 0, `no ${name} for who reads`)

  await row(page, 'in/0.txt').click()
  await page.getByRole('button', { name: 'Delete for good' }).click()
  await dialog.getByRole('button', { name: 'Delete for good' }).click()
  await row(page, 'in/0.txt').waitFor({ state: 'detached' })
  await page.getByText('The trash is empty').waitFor()

  await page.getByRole('link', { name: 'Files', exact: true }).click()
  await remove('in')
  await page.getByRole('link', { name: 'Trash' }).click()
  await page.getByText('5 versions').waitFor()
  await page.keyboard.press('Control+a')
  await page.getByText('5 chosen').waitFor()
  t.equal(await page.evaluate(() => String(getSelection())), '', 'all rows are chosen, and no text')
  await page.getByRole('button', { name: 'Clear' }).click()
  await page.getByRole('button', { name: 'Empty the trash' }).click()
  await dialog.getByRole('button', { name: 'Empty the trash' }).click()
  await page.getByText('5 versions deleted for good').waitFor()
  t.equal(await trashed(), 0)
  t.same(misdeeds, [])
})

t.test('hostile names and pages run nothing', { skip: noBrowser }, async t => {
  const { url } = await runningNode(t, { token: TOKEN })
  const hostile = '<img src=x onerror=alert(1)>'
  await put(url, `in/${hostile}`, 'x')
  await put(url, `in/${hostile}.d/x`, 'x')
  const script = `<!doctype html><title>t</title><p>stored page</p><script>alert(2); parent.document.title = 'gone'; fetch('/put/evil', { method: 'PUT', body: 'x' })</script>`
  await put(url, 'in/page.html', script, 'text/html')
  await put(
    url,
    'in/picture.svg',
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(3)"><script>alert(4)</script></svg>',
    'image/svg+xml',
  )
  await put(url, 'in/evil.js', 'alert(5)', 'text/javascript')
  const browser = await withBrowser(t)
  const { page, misdeeds } = await openConsole(browser, url, { token: TOKEN, hash: '#/files/in/' })
  await row(page, hostile).click()
  await page.getByRole('heading', { name: hostile }).waitFor()
  await row(page, 'picture.svg').click()
  await page.locator('.preview img').waitFor()
  await row(page, 'page.html').click()
  await page.frameLocator('.preview iframe').getByText('stored page').waitFor()
  t.equal(await page.title(), 'altered-chord')
  t.equal(await (await fetch(`${url}/exists/evil`, { headers: WRITE })).json(), false)
  t.same(
    misdeeds.filter(misdeed => !misdeed.startsWith('blocked')),
    [],
    'no dialog, and no error of our own scripts',
  )

  const link = (await (
    await fetch(`${url}/share/in/evil.js?for=1m`, { method: 'POST', headers: WRITE })
  ).json()) as {
    link: string
  }
  const outcomes = await page.evaluate(async target => {
    const tried: Record<string, string> = {}
    tried.stored = await new Promise(resolve => {
      const element = document.createElement('script')
      element.onerror = () => resolve('refused')
      element.onload = () => resolve('ran')
      try {
        element.src = target
        document.body.append(element)
      } catch {
        resolve('refused')
      }
    })
    try {
      document.body.insertAdjacentHTML('beforeend', '<p>markup</p>')
      tried.markup = 'taken'
    } catch {
      tried.markup = 'refused'
    }
    return tried
  }, link.link)
  t.same(outcomes, { stored: 'refused', markup: 'refused' })
  const asScript = { ...WRITE, 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'script' }
  t.equal((await fetch(`${url}/get/in/evil.js`, { headers: asScript })).status, 403)

  const folderLink = (await (await fetch(`${url}/share/in/`, { method: 'POST', headers: WRITE })).json()) as {
    link: string
  }
  const shared = await openConsole(browser, `${url}${folderLink.link}`.replace(/\/$/, ''))
  await shared.page.getByRole('link', { name: hostile, exact: true }).waitFor()
  t.same(shared.misdeeds, [])
})

t.test(
  '100,000 entries: a row is drawn when it is in sight, and the keyboard does everything',
  { skip: noBrowser },
  async t => {
    const { url } = await runningNode(t)
    await put(url, 'many/first.txt', 'first')
    const browser = await withBrowser(t)
    const { page, misdeeds } = await openConsole(browser, url)
    const lines = Array.from({ length: 100_000 }, (_, i) =>
      JSON.stringify({
        path: `many/file-${i}.txt`,
        size: i,
        etag: '"1.1-0"',
        mediaType: 'text/plain',
        writtenAt: '2026-11-27T12:00:00.000Z',
      }),
    )
    await page.route(/\/list\/many\//, route =>
      route.fulfill({ contentType: 'application/x-ndjson', body: `${lines.join('\n')}\n` }),
    )
    await row(page, 'many').waitFor()
    await page.locator('.rows').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByText('100,000 entries').waitFor()
    t.ok((await page.locator('.rows .row').count()) < 100)
    await page.locator('.rows').focus()
    await page.keyboard.press('End')
    await row(page, 'file-99999.txt').waitFor()
    t.ok((await page.locator('.rows .row').count()) < 100)
    await page.keyboard.press('Home')
    await row(page, 'file-0.txt').waitFor()
    await page.keyboard.press(' ')
    await page.keyboard.press('Shift+ArrowDown')
    await page.keyboard.press('Shift+ArrowDown')
    await page.getByText('3 chosen').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('/')
    await page.keyboard.type('77 9.txt')
    await page.getByText(/of 100,000 entries/).waitFor()
    await row(page, 'file-779.txt').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Backspace')
    await row(page, 'many').waitFor()
    t.same(misdeeds, [])
  },
)

t.test('the ring, a lookup on it, and a node that goes', { skip: noBrowser }, async t => {
  const nodes = await runningNetwork(t, 3)
  const [first, , third] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]]
  await put(first.url, 'docs/one.txt', 'one')
  const browser = await withBrowser(t)
  const { page, misdeeds } = await openConsole(browser, first.url, { hash: 'console/#/network' })
  await page.getByText('3 nodes, all answering').waitFor()
  await page.getByText('every range is where it belongs').waitFor()
  t.equal(await page.locator('.ring .range').count(), 24)
  const rows = page.getByRole('region', { name: 'Nodes' }).getByRole('row')
  for (const at of [1, 2, 3])
    await rows
      .nth(at)
      .filter({ hasText: /1 file, 3 B.*MiB.*\/s/ })
      .waitFor()
  t.equal(await page.locator('.ring .copy').count(), 48, 'two further copies of each range')
  await page.getByLabel('Path').fill('docs/one.txt')
  await page.keyboard.press('Enter')
  await page.getByText(/hops?, .* ms in the network/).waitFor()
  t.equal(await page.locator('.ring .way .key').count(), 1)
  await page.locator('.ring .range').nth(3).dispatchEvent('mouseenter')
  await page
    .locator('.range-card')
    .getByText(/epoch \d+/)
    .waitFor()

  const asked: string[] = []
  page.on('request', request => asked.push(request.url()))
  await third.node.stop()
  const address = third.url.slice('http://'.length)
  await page
    .getByRole('row', { name: new RegExp(address.replaceAll('.', '\\.')) })
    .getByText(/suspect|dead|silent/)
    .waitFor()
  t.ok(asked.length > 0)
  await page.getByRole('link', { name: 'Files', exact: true }).click()
  await row(page, 'docs').waitFor()
  asked.length = 0
  await page.waitForTimeout(2500)
  t.same(asked, [], 'who does not look at the network asks it nothing')
  t.same(misdeeds, [])
})

t.test('the page is light, strict, and fits a phone', { skip: noBrowser }, async t => {
  const { url } = await runningNode(t)
  await put(url, 'a-file-with-quite-a-long-name-for-a-small-screen-indeed.txt', 'x')
  const browser = await withBrowser(t)
  const { page, misdeeds } = await openConsole(browser, url, { width: 390 })
  await page.locator('.rows .row').waitFor()
  const sizes = await page.evaluate(() => {
    const entries = [
      ...performance.getEntriesByType('navigation'),
      ...performance.getEntriesByType('resource'),
    ] as PerformanceResourceTiming[]
    return entries.map(({ name, encodedBodySize, decodedBodySize }) => ({
      name,
      encodedBodySize,
      decodedBodySize,
    }))
  })
  const scripts = sizes.filter(({ name }) => /\.(?:js|css)$/.test(name))
  t.ok(scripts.length > 5)
  for (const { name, encodedBodySize, decodedBodySize } of scripts)
    t.ok(encodedBodySize < decodedBodySize, `${name} came compressed`)
  const weight = sizes.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)
  t.ok(weight < WEIGHT_MAX, `${weight} bytes`)
  for (const hash of ['#/files/', '#/trash', '#/network']) {
    await page.goto(`${url}/console/${hash}`)
    await page.locator('.rows, .ring').first().waitFor()
    const { wide, seen } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      seen: innerWidth,
    }))
    t.ok(wide <= seen, `${hash} is ${wide} wide on ${seen}`)
  }
  t.same(misdeeds, [])
})
