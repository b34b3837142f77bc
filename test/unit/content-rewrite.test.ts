import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { rewriteDelta } from '../../server/content/compareText.ts'
import { applyTextDelta, type TextDelta } from '../../server/content/textDelta.ts'
import { ContentView } from '../../server/content/view.ts'

/** What stays of the text, piece by piece; the last up to its end. */
function kept(from: string, delta: TextDelta): string[] {
  const pieces: string[] = []
  let at = 0
  for (const item of delta) {
    if (typeof item === 'string') continue
    if (item > 0) pieces.push(from.slice(at, at + item))
    at += Math.abs(item)
  }
  return [...pieces, from.slice(at)].filter((piece) => piece !== '')
}

describe('what a write leaves of the text it replaces', () => {
  it.each<[string, string, string, string[]]>([
    ['one word is another', 'Call Ada on Monday', 'Call Ada on Tuesday', ['Call Ada on ']],
    ['a letter of a word is another', 'teh cat', 'the cat', [' cat']],
    ['other words with the same letters', 'The quick brown fox', 'Totally other text here', []],
    ['a word in the middle stays', 'Call Ada on Monday', 'Meet Bob on Friday', ['on ']],
    ['a word is put between others that change', 'red tea, blue tea', 'hot tea, cold tea', ['tea, ', ' tea']],
    ['signs alone do not stay', '| a | b |', '| c | d |', ['| ', ' |']],
    ['one line of three', 'one\ntwo\nthree', 'one\n2\nthree', ['one\n', '\nthree']],
    ['a line less, and the next begins like it', 'one\ntwo\nthree\n', 'one\nthree\n', ['one\n', 'three\n']],
    ['the first line less', 'aa\nab\n', 'ab\n', ['ab\n']],
    ['the last line less', 'one\ntwo', 'one', ['one']],
    ['a line more before one that begins like it', 'one\nthree\n', 'one\ntwo\nthree\n', ['one\n', 'three\n']],
    ['a line break less', 'one\ntwo', 'onetwo', ['one', 'two']],
    ['only something new', 'color', 'colour', ['colo', 'r']],
    ['only something less', 'wonderful', 'wonder', ['wonder']],
    ['Chinese, a character of it', '我喜欢喝茶', '我喜欢喝咖啡', ['我喜欢喝']],
    ['letters beyond the basic plane', 'say 𝒳𝒴 now', 'say 𝒳𝒵 now', ['say ', ' now']],
    ['a letter with a mark', 'cafe\u0301 au lait', 'cafe\u0300 au lait', [' au lait']],
  ])('[DOC-8] %s', (_title, from, to, expected) => {
    const delta = rewriteDelta(from, to)
    expect(applyTextDelta(from, delta)).toBe(to)
    expect(kept(from, delta)).toEqual(expected)
  })

  it('[DOC-8] lines that are added or taken out are whole lines, as people mean them', () => {
    expect(rewriteDelta('one\ntwo\nthree\n', 'one\nthree\n')).toEqual([4, -4])
    expect(rewriteDelta('one\nthree\n', 'one\ntwo\nthree\n')).toEqual([4, 'two\n'])
  })

  it('[DOC-8] of many changed lines the words that stay, past the limits of work too', () => {
    const lines = (word: string, count: number): string =>
      Array.from({ length: count }, (_, i) => `line ${i} with ${word} in it`).join('\n')
    for (const count of [10, 3_000]) {
      const delta = rewriteDelta(lines('this', count), lines('that', count))
      expect(applyTextDelta(lines('this', count), delta)).toBe(lines('that', count))
      for (const piece of kept(lines('this', count), delta).slice(0, 100))
        expect(piece).toMatch(/^( ?in it\n)?line \d+ with $|^ ?in it$/)
    }
  })

  it('[DOC-8] a word of 1 MB is not written anew for what was put into it', () => {
    const word = 'abcdefghij'.repeat(100_000)
    expect(rewriteDelta(`${word} end`, `${word}x other`)).toEqual([1_000_000, -4, 'x other'])
  })

  it.each([
    ['a text', 'The quick brown fox jumps over it', 'Nobody ever thought of this before'],
    ['lines of it', 'one\ntwo and a half\nthree', 'eins\nzweieinhalb\ndrei'],
  ])("[DOC-8] an editor's undo takes no letters out of %s that was written over its own", (_title, typed, written) => {
    const doc = new Y.Doc()
    const text = doc.getText('content')
    const undo = new Y.UndoManager(text)
    text.insert(0, typed)
    const view = new ContentView(doc, 'text', 'content')
    doc.transact(() => view.write(written), 'server')
    undo.undo()
    expect(text.toString()).toBe(written)
  })

  it("[DOC-8] an editor's undo takes no letters out of a json string that was written over its own", () => {
    const doc = new Y.Doc()
    const text = new Y.Text()
    doc.getMap('content').set('note', text)
    const undo = new Y.UndoManager(text)
    text.insert(0, 'The quick brown fox jumps over it and goes on')
    const view = new ContentView(doc, 'json', 'content')
    const written = 'Nobody ever thought of such a thing before this'
    doc.transact(() => view.write({ note: written }), 'server')
    undo.undo()
    expect(text.toString()).toBe(written)
  })
})
