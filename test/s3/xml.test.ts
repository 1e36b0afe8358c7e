import fc from 'fast-check'
import t from 'tap'
import {
  childrenOf,
  element,
  namespaced,
  parseXml,
  textOf,
  XML_BYTES_MAX,
  xmlDocument,
} from '../../src/s3/xml.ts'

t.test('what is written can be read', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), text => {
      const written = xmlDocument(element('Root', [element('Text', text), undefined, element('Number', 7)]))
      const kept = text.toWellFormed().replace(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, '\ufffd')
      return textOf(parseXml(written, 'Root'), 'Text') === kept
    }),
  )
})

t.test('what clients send is read', async t => {
  const document = `<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Object><Key>a &amp; b&lt;&#13;&#x41;</Key></Object>
  <Object><Key><![CDATA[<c>]]></Key></Object>
  <Quiet>true</Quiet>
</Delete>`
  const root = parseXml(document, 'Delete')
  t.same(
    childrenOf(root, 'Object').map(object => textOf(object, 'Key')),
    ['a & b<\rA', '<c>'],
  )
  t.equal(textOf(root, 'Quiet'), 'true')
  t.equal(textOf(root, 'Object'), undefined, 'there are two of them')
  t.same(childrenOf('text', 'Key'), [])
})

t.test('what is no document is not read', async t => {
  const rows = [
    '',
    'text',
    '<Delete>',
    '<Delete><Key></Delete></Key>',
    '<Other/>',
    '<Delete/><Delete/>',
    '<Delete></Delete>x<y',
    '<!DOCTYPE Delete [<!ENTITY a "b">]><Delete><Key>&a;</Key></Delete>',
    `<Delete>${'<a>'.repeat(100)}${'</a>'.repeat(100)}</Delete>`,
    `<Delete>${' '.repeat(XML_BYTES_MAX)}</Delete>`,
  ]
  for (const text of rows) t.equal(parseXml(text, 'Delete'), undefined, text.slice(0, 60))
})

t.test('a name of JavaScript is no way in', async t => {
  const root = parseXml('<Delete><constructor>a</constructor><toString>c</toString></Delete>', 'Delete')
  t.equal(textOf(root, 'hasOwnProperty'), undefined)
  t.equal(({} as Record<string, unknown>).a, undefined)
})

t.test('the root is in the namespace of S3, but not that of an error', async t => {
  t.equal(namespaced(element('A1', '')).xml, '<A1 xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></A1>')
  t.equal(namespaced(element('Error', '')).xml, '<Error></Error>')
})

t.test('a reference to what is no character is no document', async t => {
  const keyOf = (text: string) => textOf(parseXml(`<D><Key>${text}</Key></D>`, 'D'), 'Key')
  t.equal(keyOf('a&#x1F600;&#98;'), 'a\u{1f600}b')
  for (const text of ['a&#x110000;', '&#xD800;', '&#;', '&#x;', '&#99999999;'])
    t.equal(keyOf(text), undefined, text)
})
