/**
 * The browser of the console's tests: Debian's Chromium, a fresh profile for each page, and a record of everything
 * that a page should never do.
 */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const EXECUTABLE = '/usr/bin/chromium'

/** Why there is no browser; false when there is one. */
export const noBrowser = !existsSync(EXECUTABLE) && 'no chromium'

/** How long a page may take for one step, ms: the machine may be busy. */
const STEP_TIMEOUT_MS = 60_000

export interface OpenPage {
  readonly page: Page
  /** Dialogs, errors of scripts and blocked contents, as they happened. */
  readonly misdeeds: string[]
}

/** A page of its own profile at the console of a node, logged in when there is a token. */
export async function openConsole(
  browser: Browser,
  url: string,
  { token, width = 1280, hash = '' }: { token?: string; width?: number; hash?: string } = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width, height: 800 } })
  const page = await context.newPage()
  page.setDefaultTimeout(STEP_TIMEOUT_MS)
  const misdeeds: string[] = []
  page.on('dialog', dialog => {
    misdeeds.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('pageerror', error => misdeeds.push(`error ${error.message}`))
  page.on('console', message => {
    if (/Content Security Policy|TrustedHTML|TrustedScript/.test(message.text()))
      misdeeds.push(`blocked ${message.text()}`)
  })
  await page.goto(`${url}/${hash}`)
  if (token !== undefined) {
    await page.getByLabel('Token').fill(token)
    await page.keyboard.press('Enter')
  }
  return { page, misdeeds }
}

export async function withBrowser(t: { teardown(end: () => unknown): unknown }): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args, timeout: STEP_TIMEOUT_MS })
  t.teardown(() => browser.close())
  return browser
}

/** Drops files and folders from the disk onto the page, as a hand with a mouse does: the browser reads the folders itself. */
export async function dropFromDisk(page: Page, paths: readonly string[]): Promise<void> {
  const { width, height } = page.viewportSize() ?? { width: 800, height: 600 }
  const session = await page.context().newCDPSession(page)
  // The mask of what the source allows: to copy.
  const data = { items: [], files: [...paths], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, x: width / 2, y: height / 2, data })
  await session.detach()
}
