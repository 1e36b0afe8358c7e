/**
 * The XML of WebDAV: request bodies become a small tree whose names are in their namespaces, and trees and texts are
 * written back. The tree keeps what a dead property has to give back: elements, attributes, namespaces and text.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { StoreError } from '../errors.ts'

/** Bytes of a body: a client asks for a few properties, or sets some. */
export const XML_BYTES_MAX = 256 * 1024

export const DAV_NAMESPACE = 'DAV:'

export interface Element {
  /** Empty for a name in no namespace. */
  readonly namespace: string
  readonly name: string
  /** Without the declarations of namespaces. */
  readonly attributes: readonly (readonly [name: string, namespace: string, value: string])[]
  readonly children: readonly (Element | string)[]
}

const ATTRIBUTES = ':@'
const TEXT = '#text'

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: true,
  htmlEntities: true,
  maxNestedTags: 32,
})

type Parsed = Readonly<Record<string, unknown>>
/** Prefix to namespace; the empty prefix is the default. */
type Scope = Readonly<Record<string, string>>

/**
 * The root of a document.
 * @throws StoreError INVALID_REQUEST for what is not well formed, has a document type or an undeclared prefix.
 */
export function parseXml(text: string): Element {
  // A document type can make a small document grow without end, or point elsewhere; WebDAV needs none.
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) throw malformed()
  const nodes = parsedNodes(text).filter(node => !nameOf(node).startsWith('?'))
  const roots = nodes.filter(node => nameOf(node) !== TEXT)
  const [root] = roots
  if (root === undefined || roots.length !== 1) throw malformed()
  return elementOf(root, { xml: 'http://www.w3.org/XML/1998/namespace' })
}

function parsedNodes(text: string): Parsed[] {
  try {
    return parser.parse(text) as Parsed[]
  } catch (cause) {
    // Nested too deep, say.
    throw malformed(cause)
  }
}

function nameOf(node: Parsed): string {
  return Object.keys(node).find(key => key !== ATTRIBUTES) ?? ''
}

function elementOf(node: Parsed, outer: Scope): Element {
  const tag = nameOf(node)
  const given = Object.entries((node[ATTRIBUTES] ?? {}) as Record<string, string>)
  const scope: Record<string, string> = { ...outer }
  for (const [name, value] of given) {
    if (name === 'xmlns') scope[''] = value
    else if (name.startsWith('xmlns:')) {
      // A prefix can't be undeclared (Namespaces in XML 1.0, section 5).
      if (value === '') throw malformed()
      scope[name.slice('xmlns:'.length)] = value
    }
  }
  const attributes = given
    .filter(([name]) => name !== 'xmlns' && !name.startsWith('xmlns:'))
    .map(([name, value]) => {
      const [namespace, local] = name.includes(':') ? resolved(name, scope) : ['', name]
      return [local, namespace, value] as const
    })
  const [namespace, name] = resolved(tag, scope)
  const children = (node[tag] as Parsed[]).map(child =>
    nameOf(child) === TEXT ? String(child[TEXT]) : elementOf(child, scope),
  )
  return { namespace, name, attributes, children }
}

function resolved(qualified: string, scope: Scope): [namespace: string, name: string] {
  const colon = qualified.indexOf(':')
  const prefix = colon === -1 ? '' : qualified.slice(0, colon)
  const namespace = Object.hasOwn(scope, prefix) ? scope[prefix] : prefix === '' ? '' : undefined
  const name = qualified.slice(colon + 1)
  if (namespace === undefined || name === '' || name.includes(':')) throw malformed()
  return [namespace, name]
}

/** The elements below an element. */
export function elementsOf({ children }: Element): Element[] {
  return children.filter(child => typeof child !== 'string')
}

/** The first element of that name below an element, in the namespace of WebDAV. */
export function davChild(element: Element, name: string): Element | undefined {
  return elementsOf(element).find(child => child.namespace === DAV_NAMESPACE && child.name === name)
}

/** All text below an element. */
export function textOf({ children }: Element): string {
  return children.map(child => (typeof child === 'string' ? child : textOf(child))).join('')
}

/** An element as text that needs no declaration around it. */
export function written({ namespace, name, attributes, children }: Element): string {
  const fields = attributes.map(([local, space, value], at) =>
    space === ''
      ? ` ${local}="${escaped(value)}"`
      : space === 'http://www.w3.org/XML/1998/namespace'
        ? ` xml:${local}="${escaped(value)}"`
        : ` xmlns:a${at}="${escaped(space)}" a${at}:${local}="${escaped(value)}"`,
  )
  const inner = children.map(child => (typeof child === 'string' ? escaped(child) : written(child))).join('')
  const [open, tag] = tagOf(namespace, name)
  return inner === '' ? `<${open}${fields.join('')}/>` : `<${open}${fields.join('')}>${inner}</${tag}>`
}

/** How a name is written: `D:` stands for WebDAV's namespace everywhere, any other one is declared where it is used. */
export function tagOf(namespace: string, name: string): [open: string, tag: string] {
  if (namespace === DAV_NAMESPACE) return [`D:${name}`, `D:${name}`]
  // The default namespace is never declared around it, so a name without one is just that.
  if (namespace === '') return [name, name]
  return [`x:${name} xmlns:x="${escaped(namespace)}"`, `x:${name}`]
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
}

export function escaped(text: string): string {
  return text.replace(/[&<>"\r]/g, character => entities[character] as string)
}

function malformed(cause?: unknown): StoreError {
  const message = 'The body is no well-formed XML with namespaces, is nested too deep, or has a DOCTYPE.'
  return new StoreError('INVALID_REQUEST', message, { cause })
}
