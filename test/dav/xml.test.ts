import t from 'tap'
import { davChild, elementsOf, escaped, parseXml, textOf, written } from '../../src/dav/xml.ts'
import { errorCode } from '../../src/errors.ts'

t.test('names are in their namespaces, whatever their prefixes', async t => {
  const root = parseXml(
    '<?xml version="1.0"?>\n<propfind xmlns="DAV:" xmlns:Z="urn:z"><prop><Z:a/><b xmlns=""/></prop></propfind>',
  )
  t.match(root, { namespace: 'DAV:', name: 'propfind' })
  const prop = davChild(root, 'prop')
  t.same(prop && elementsOf(prop).map(({ namespace, name }) => [namespace, name]), [
    ['urn:z', 'a'],
    ['', 'b'],
  ])
  t.equal(textOf(parseXml('<a>x<b>y</b>&lt;&#233;</a>')), 'xy<é')
})

t.test('what was read can be written, and read again', async t => {
  for (const text of [
    '<x:a xmlns:x="urn:x"/>',
    '<a>plain</a>',
    '<x:a xmlns:x="urn:x" lang="de" xml:space="preserve">1 &lt; 2<x:b xmlns:x="urn:y">&amp;</x:b></x:a>',
    '<D:owner><D:href>me</D:href></D:owner>',
  ]) {
    const element = parseXml(`<D:prop xmlns:D="DAV:">${text}</D:prop>`).children[0]
    t.equal(written(element as Exclude<typeof element, string | undefined>), text)
  }
  t.equal(escaped('<a href="x">&\r'), '&lt;a href=&quot;x&quot;&gt;&amp;&#13;')
})

t.test('what is no good document is refused', async t => {
  for (const text of [
    '<a>',
    '<a/><b/>',
    'text',
    '<D:a/>',
    '<a xmlns:D=""/>',
    '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    `${'<a>'.repeat(100)}${'</a>'.repeat(100)}`,
  ]) {
    let code: string | undefined
    try {
      parseXml(text)
    } catch (error) {
      code = errorCode(error) ?? 'thrown'
    }
    t.equal(code, 'INVALID_REQUEST', text.slice(0, 40))
  }
})
