/**
 * The XML of S3's requests and answers. It is read by a kept parser, without document types and within bounds, and
 * written by one function that escapes.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser'

/** Bytes of the longest document that is read: 10,000 parts with their checksums are about 2.5 MB. */
export const XML_BYTES_MAX = 4 * 1024 * 1024

/** How deep a document of S3 goes, with room. */
const DEPTH_MAX = 16

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  trimValues: false,
  // Character references such as &#13;, by which clients write what XML would change.
  htmlEntities: true,
  maxNestedTags: DEPTH_MAX,
})

/** One element that was read: its text, or its children by name, each name with all its elements in order. */
export type XmlNode = string | { readonly [name: string]: readonly XmlNode[] }

/**
 * What a document holds below its root element; undefined when it is no document with this root.
 * @param root the name of the root element, without its namespace.
 */
export function parseXml(text: string, root: string): XmlNode | undefined {
  // A document type could name entities that grow or that are elsewhere; S3 has none.
  if (text.length > XML_BYTES_MAX || /<!DOCTYPE/i.test(text) || hasBadReference(text)) return undefined
  try {
    if (XMLValidator.validate(text) !== true) return undefined
    const parsed = nodeOf(parser.parse(text))
    if (typeof parsed === 'string') return undefined
    const names = Object.keys(parsed)
    return names.length === 1 && names[0] === root && parsed[root]?.length === 1 ? parsed[root][0] : undefined
  } catch {
    return undefined
  }
}

/** A reference to what is no character, which the parser would leave as it stands. */
function hasBadReference(text: string): boolean {
  for (const [, hex, decimal] of text.matchAll(/&#(?:x([0-9a-f]*)|([0-9]*))/gi)) {
    const code = hex === undefined ? Number.parseInt(decimal ?? '', 10) : Number.parseInt(hex, 16)
    if (!(code <= 0x10_ffff) || (code >= 0xd8_00 && code <= 0xdf_ff)) return true
  }
  return false
}

function nodeOf(value: unknown): XmlNode {
  if (typeof value !== 'object' || value === null) return String(value)
  const children: Record<string, XmlNode[]> = Object.create(null)
  for (const [name, inner] of Object.entries(value)) {
    if (name === '#text') continue
    children[name] = (Array.isArray(inner) ? inner : [inner]).map(nodeOf)
  }
  return children
}

/** The elements of one name below a node. */
export function childrenOf(node: XmlNode | undefined, name: string): readonly XmlNode[] {
  return node === undefined || typeof node === 'string' ? [] : (node[name] ?? [])
}

/** The text of the only element of this name; undefined when there is none, several, or one that is no text. */
export function textOf(node: XmlNode | undefined, name: string): string | undefined {
  const [only, ...others] = childrenOf(node, name)
  return others.length === 0 && typeof only === 'string' ? only : undefined
}

/** XML that is written: text that was escaped. */
export type Xml = { readonly xml: string }

/** An element. Text is escaped; undefined among the children is left out. */
export function element(
  name: string,
  content: string | number | boolean | readonly (Xml | undefined)[],
): Xml {
  const inner = Array.isArray(content)
    ? content.map(child => child?.xml ?? '').join('')
    : escapeText(String(content))
  return { xml: `<${name}>${inner}</${name}>` }
}

/** S3's own namespace, which some clients look for. */
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** A whole document. */
export function xmlDocument({ xml }: Xml): string {
  return XML_DECLARATION + namespaced({ xml }).xml
}

/** The root element in S3's namespace. */
export function namespaced({ xml }: Xml): Xml {
  const withNamespace = xml.replace(/^<([A-Za-z0-9]+)>/, (tag, name) =>
    name === 'Error' ? tag : `<${name} xmlns="${NAMESPACE}">`,
  )
  return { xml: withNamespace }
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // A reader would turn it into a line feed (XML 1.0, section 2.11).
  '\r': '&#13;',
}

// What XML 1.0 can't hold, not even as a reference (section 2.2): U+FFFD stands in its place.
const unwritable = /[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu

function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replace(unwritable, '\ufffd')
    .replace(/[&<>"\r]/g, character => escapes[character] as string)
}
