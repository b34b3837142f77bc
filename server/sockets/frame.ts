/** The longest payload whose length stands in the second byte, and the longest whose length stands in two more. */
const SHORT = 125
const MEDIUM = 0xffff
/** A whole message in one frame (FIN), of text or of bytes: RFC 6455 §5.2. */
const WHOLE_TEXT = 0x81
const WHOLE_BINARY = 0x82

/**
 * A text message as a server puts it on the wire (RFC 6455 §5.2: one frame, not masked), so that one that goes to many
 * sockets is made once, and each of them costs one write. It may be written beside ws to the stream of a socket without
 * compression, for ws then writes whole frames, too, and each at once.
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const { frame, headBytes } = frameFor(WHOLE_TEXT, length)
  frame.write(text, headBytes)
  return frame
}

/** A binary message, likewise. */
export function binaryFrame(bytes: Uint8Array): Buffer {
  const { frame, headBytes } = frameFor(WHOLE_BINARY, bytes.length)
  frame.set(bytes, headBytes)
  return frame
}

function frameFor(kind: number, length: number): { readonly frame: Buffer; readonly headBytes: number } {
  const headBytes = length <= SHORT ? 2 : length <= MEDIUM ? 4 : 10
  const frame = Buffer.allocUnsafeSlow(headBytes + length)
  frame[0] = kind
  if (headBytes === 2) frame[1] = length
  else if (headBytes === 4) {
    frame[1] = SHORT + 1
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = SHORT + 2
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  return { frame, headBytes }
}
