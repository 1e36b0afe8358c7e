import fc from 'fast-check'
import t from 'tap'
import { FILE_NAME_BYTES_MAX, refuseExtension, safeFileName } from '../../src/http/file-name.ts'
import type { PathName } from '../../src/ring/path-name.ts'

t.test('names are made safe', async t => {
  const cases: [string, string | undefined][] = [
    ['report.pdf', 'report.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\x.txt', 'x.txt'],
    ['.htaccess', 'htaccess'],
    ['...', undefined],
    ['..', undefined],
    ['', undefined],
    ['a/', undefined],
    ['a\0b\r\n.txt', 'ab.txt'],
    ['con', '_con'],
    ['NUL.txt', '_NUL.txt'],
    ['COM1.tar.gz', '_COM1.tar.gz'],
    ['console.log', 'console.log'],
    ['name. ', 'name'],
    ['  padded.txt', 'padded.txt'],
    ['a:b?.txt', 'a_b_.txt'],
    ['e\u0301.txt', 'é.txt'],
    ['\u202egpj.exe', 'gpj.exe'],
    ['日本 😀.txt', '日本 😀.txt'],
    ['👨\u200d👩\u200d👧.png', '👨\u200d👩\u200d👧.png'],
    ['می\u200cخواهم.txt', 'می\u200cخواهم.txt'],
    ['🏴\u{e0067}\u{e007f}', '🏴\u{e0067}\u{e007f}'],
    ['a\u200eb\ufeff', 'ab'],
    ['\u200d\u200c', undefined],
    ['x\ud800y', 'x\ufffdy'],
  ]
  for (const [given, safe] of cases) t.equal(safeFileName(given), safe, JSON.stringify(given))
})

t.test('a long name keeps its extension', async t => {
  const name = safeFileName(`${'é'.repeat(300)}.jpeg`) ?? ''
  t.ok(name.endsWith('é.jpeg'))
  t.ok(Buffer.byteLength(name) <= FILE_NAME_BYTES_MAX)
  t.equal(Buffer.byteLength(safeFileName('a'.repeat(1000)) ?? ''), FILE_NAME_BYTES_MAX)
})

t.test('law: a safe name is one segment, short enough, and safe again', async _t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), given => {
      const name = safeFileName(given)
      if (name === undefined) return true
      return (
        !/[/\\\p{Cc}]/u.test(name) &&
        !name.startsWith('.') &&
        Buffer.byteLength(name) <= FILE_NAME_BYTES_MAX &&
        safeFileName(name) === name
      )
    }),
    { numRuns: 1000 },
  )
})

t.test('only allowed extensions come in', async t => {
  const allow = (path: string, ...allowed: string[]) => refuseExtension(path as PathName, allowed)
  t.doesNotThrow(() => refuseExtension('a.exe' as PathName, undefined))
  t.doesNotThrow(() => allow('x/a.PNG', 'jpg', 'png'))
  t.doesNotThrow(() => allow('a.tar.gz', 'tar.gz'))
  for (const path of ['a.exe', 'png', 'x.png/a', 'a.png.exe', 'apng', 'a.']) {
    t.throws(() => allow(path, 'png'), { code: 'TYPE_NOT_ALLOWED' }, path)
  }
})
