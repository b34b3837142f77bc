/**
 * Bytes that own their buffer. A view of a part of a larger one (a received frame, a pool) would take
 * all of it along to another thread, and keep it in memory while it waits.
 */
export const exactBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)

/** The same bytes without Buffer's own methods, some of which mean something else than Uint8Array's. */
export const plainBytes = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
