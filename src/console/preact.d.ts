/**
 * What the console takes from preact, which a node serves as preact.js from the package as it was published.
 */
export { Component, type ComponentChildren, createRef, type RefObject, render } from 'preact'

/** An element. Its properties are checked by the browser's tests rather than by the compiler. */
export function h(type: unknown, properties?: object | null, ...children: unknown[]): import('preact').VNode
