/**
 * A small body that is in memory before anybody asks for it: it is taken in at once, without a stream.
 */

/** At most INLINE_BYTES_MAX bytes, which nobody changes any more. */
export class WholeBody implements AsyncIterable<Uint8Array> {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    yield this.bytes
  }
}
