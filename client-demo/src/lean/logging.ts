/* oxlint-disable no-console -- What Yjs warns of goes where its own logging puts it. */

/**
 * In place of `lib0/logging`, which brings colours, a console on the page and a validator of schemas along: all that Yjs says in
 * a browser is a few warnings.
 */
const say = (...words: readonly unknown[]): void => console.warn(...words.filter((word) => word !== PLAIN))
const PLAIN = Symbol('style')

export { say as print, say as warn, PLAIN as BOLD, PLAIN as UNBOLD, PLAIN as ORANGE, PLAIN as RED }
