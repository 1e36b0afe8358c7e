/**
 * The shell as a person uses it, on a pseudo-terminal.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { cleanEnvironment } from './harness.ts'
import { missingTerminal, openTerminal, type Terminal } from './terminal.ts'
import { openNode } from './test-node.ts'

t.setTimeout(600_000)

const CTRL_C = '\x03'
const CTRL_D = '\x04'
const TAB = '\t'
const UP = '\x1b[A'
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is sent
const PROMPT = /127\.0\.0\.1:\d+(?:\x1b\[39m)?> \x1b\[\d+G/

t.test('the shell on a terminal', { skip: missingTerminal() }, async t => {
  const { node } = await openNode(t)
  const state = t.testdir({})
  // All of these have a say in whether a program shows colours; a CI machine counts as one that has none.
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...rest } = cleanEnvironment()
  const plain = { ...rest, TERM: 'xterm-256color' }
  const open = (environment: Record<string, string> = {}): Terminal => {
    const terminal = openTerminal(['shell', '--node', String(node.port)], {
      ...plain,
      XDG_STATE_HOME: state,
      ...environment,
    })
    t.teardown(() => terminal.kill())
    return terminal
  }
  const first = open()

  await t.test('Tab completes commands and keys', async () => {
    await first.see(PROMPT)
    await first.type('ins')
    await first.see(/ins/)
    await first.type(TAB)
    await first.see(/ert /)
    await first.type('color blue\r')
    await first.see(/inserted/)
    await first.see(PROMPT)
    await first.type('query co')
    await first.see(/query co/)
    await first.type(TAB)
    await first.see(/lor /)
    await first.type('\r')
    await first.see(/blue/)
    await first.see(PROMPT)
  })

  await t.test('overlay draws the ring', async () => {
    await first.type('overlay\r')
    await first.see(/ A{5,}\r+\n/)
    await first.see(/1 node[^s]/)
    await first.see(/100\.0 % {2}head of 8, keeps 8 of 8 ranges/)
    await first.see(PROMPT)
  })

  await t.test('Ctrl-C ends the command that runs, and not the shell', async () => {
    node.pause()
    try {
      await first.type('list\r')
      await first.see(/list\r+\n/)
      await first.type(CTRL_C)
      await first.see(/interrupted/)
      await first.see(PROMPT)
    } finally {
      node.resume()
    }
    await first.type('query color\r')
    await first.see(/blue/)
    await first.see(PROMPT)
  })

  await t.test('Ctrl-C at the prompt drops the line', async () => {
    await first.type('nonsense')
    await first.see(/nonsense/)
    await first.type(CTRL_C)
    await first.see(/\^C\r+\n/)
    await first.see(PROMPT)
    await first.type('query none\r')
    await first.see(/No pair has this key\. \(FILE_NOT_FOUND\)/)
    await first.see(PROMPT)
  })

  await t.test('Ctrl-D leaves, whatever failed before', async t => {
    await first.type(CTRL_D)
    t.same(await first.exited, { code: 0, signal: null })
    t.notMatch(first.shown, /"nonsense" is no command/)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour
    t.match(first.shown, /\x1b\[36m127/, 'a terminal has colours')
    const lines = readFileSync(join(state, 'altered-chord', 'shell-history'), 'utf8').split('\n')
    t.same(lines, ['insert color blue', 'query color ', 'overlay', 'list', 'query color', 'query none', ''])
  })

  await t.test('the next shell remembers, and NO_COLOR is obeyed', async t => {
    const second = open({ NO_COLOR: '1' })
    await second.see(PROMPT)
    await second.type(UP)
    await second.see(/query none/)
    await second.type(UP)
    await second.see(/query color/)
    await second.type('\r')
    await second.see(/blue/)
    await second.see(PROMPT)
    await second.type('exit\r')
    t.same(await second.exited, { code: 0, signal: null })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour
    t.notMatch(second.shown, /\x1b\[3\dm/)
  })
})
