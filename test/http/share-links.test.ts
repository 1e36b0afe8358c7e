import t from 'tap'
import { errorCode } from '../../src/errors.ts'
import { type ShareKeys, ShareLinks, shareKeysOf } from '../../src/http/share-links.ts'

const NOW_MS = Date.parse('2026-11-27T12:00:00Z')

function linksAt(nowMs: number, ...keys: Buffer[]): ShareLinks {
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
  const [first = Buffer.alloc(32, 1), ...others] = keys
  return new ShareLinks({ clock }, { keys: [first, ...others] })
}

const restOf = (link: string) => link.replace(/^\/shared\//, '')

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return errorCode(error)
  }
}

t.test('a link gives what was shared, and what lies in a shared folder', async t => {
  const links = linksAt(NOW_MS)
  const file = restOf(links.make('a/ü b?.txt', NOW_MS + 5000))
  t.match(file, /^0-[0-9a-z]+-[\w-]{43}\/a\/%C3%BC%20b%3F\.txt$/)
  t.same(links.open(file), { place: 'a/ü b?.txt', isFolder: false })
  const folder = restOf(links.make('a/b/', NOW_MS + 5000))
  t.same(links.open(folder), { place: 'a/b/', isFolder: true })
  t.same(links.open(`${folder}c/d`), { place: 'a/b/c/d', isFolder: false })
  t.same(links.open(`${folder}c/`), { place: 'a/b/c/', isFolder: true })
})

t.test('nothing else: not what lies beside it, not for longer, not with another key', async t => {
  const links = linksAt(NOW_MS)
  const file = restOf(links.make('a/b', NOW_MS + 5000))
  const folder = restOf(links.make('a/b/', NOW_MS + 5000))
  const [, token = ''] = /^([^/]+)/.exec(folder) ?? []
  const [depth, until = '', signature] = token.split(/-(?=[0-9a-z]+-)|(?<=^\d+-[0-9a-z]+)-/)
  const rows: Record<string, string> = {
    'the folder of a file': file.replace(/a\/b$/, 'a/'),
    'below a file': `${file}/c`,
    'another file': file.replace(/b$/, 'c'),
    'a sibling of the folder': `${token}/a/c/d`,
    'its parent': `${token}/a/`,
    'the folder as a file': `${token}/a/b`,
    'a higher folder': `1-${until}-${signature}/a/b/`,
    'a later end': `${depth}-${(Number.parseInt(until, 36) + 1).toString(36)}-${signature}/a/b/`,
    'no signature': `${depth}-${until}-/a/b/`,
    'another signature': `${depth}-${until}-${'A'.repeat(43)}/a/b/`,
    'no path': token,
    nothing: '',
  }
  for (const [what, rest] of Object.entries(rows))
    t.equal(
      codeOf(() => links.open(rest)),
      'FORBIDDEN',
      what,
    )
  t.equal(
    codeOf(() => linksAt(NOW_MS, Buffer.alloc(32, 2)).open(file)),
    'FORBIDDEN',
  )
  t.equal(
    codeOf(() => links.open(`${token}/a/b/../c`)),
    'INVALID_PATH',
  )
  t.equal(
    codeOf(() => linksAt(NOW_MS + 4999).open(file)),
    undefined,
    'until its end',
  )
  t.throws(() => linksAt(NOW_MS + 5000).open(file), /ended at 2026-11-27T12:00:05.000Z/)
})

t.test('the key comes from what the nodes of a network share, and is no other key', async t => {
  const settings = { shareKey: undefined, secret: 's'.repeat(24), tokens: { readWrite: 'w'.repeat(24) } }
  const keys = shareKeysOf(settings, 'net')
  t.same([keys.length, keys[0].length], [1, 32])
  t.same(shareKeysOf({ ...settings, tokens: {} }, 'net'), keys, 'the secret counts before the token')
  t.notSame(shareKeysOf({ ...settings, shareKey: 'k'.repeat(24) }, 'net'), keys, 'a key of its own revokes')
  t.notSame(shareKeysOf(settings, 'other'), keys)
  t.notSame(shareKeysOf({ ...settings, secret: undefined }, 'net'), keys)
  t.equal(shareKeysOf({ shareKey: undefined, secret: undefined, tokens: {} }, 'net')[0].length, 32)
})

t.test('a link counts as long as the secret that signed it does', async t => {
  const keysOf = (secret: string): ShareKeys =>
    shareKeysOf({ shareKey: undefined, secret, tokens: { readWrite: 'w' } }, 'net')
  const link = restOf(linksAt(NOW_MS, ...keysOf('old')).make('a', NOW_MS + 5000))
  for (const secret of ['old,new', 'new,old'])
    t.equal(linksAt(NOW_MS, ...keysOf(secret)).open(link).place, 'a', secret)
  t.throws(() => linksAt(NOW_MS, ...keysOf('new')).open(link), { code: 'FORBIDDEN' })
  const replaced = restOf(linksAt(NOW_MS, ...keysOf('new,old')).make('a', NOW_MS + 5000))
  t.equal(linksAt(NOW_MS, ...keysOf('new')).open(replaced).place, 'a', 'the first secret signs')
})
