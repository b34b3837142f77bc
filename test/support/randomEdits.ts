import type { Content, JsonObject, JsonValue } from '../../server/content/content.ts'

/** Draws whole numbers from a list that a property test made, so that a failing run can be shrunk and replayed. */
export class Draws {
  readonly #numbers: readonly number[]
  #next = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  /** One of 0 … `count - 1`; 0 once the list is used up. */
  below(count: number): number {
    return (this.#numbers[this.#next++] ?? 0) % count
  }

  oneOf<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)]
    if (chosen === undefined) throw new Error('nothing to choose from')
    return chosen
  }
}

const KEYS = ['a', 'b', 'c/~', 'constructor'] as const

/** Random edits of contents that `threeWay.ts` can judge. A fresh value is new to the whole run, a shared one is not. */
export class RandomEdits {
  readonly #draws: Draws
  #fresh = 0

  constructor(draws: Draws) {
    this.#draws = draws
  }

  start(kind: 'text' | 'json'): Content {
    if (kind === 'json') return { a: 1, b: { a: 1, b: { a: 1 } }, 'c/~': 'text' }
    return Array.from({ length: 6 }, (_, i) => `line ${i}`).join('\n')
  }

  edit(content: Content): Content {
    let edited = content
    for (let n = 1 + this.#draws.below(2); n > 0; n--) {
      edited = typeof edited === 'string' ? this.#editText(edited) : this.#editObject(edited)
    }
    return edited
  }

  #editText(text: string): string {
    const lines = text.split('\n')
    const at = this.#draws.below(lines.length)
    const line = lines[at] ?? ''
    const what = this.#draws.below(4)
    if (what === 0 && lines.length > 2) lines.splice(at, 1)
    else if (what === 1) lines.splice(at + 1, 0, this.#newLine(lines, `after ${line}`))
    else lines[at] = this.#newLine(lines, `${line} é😀`)
    return lines.join('\n')
  }

  /** Sometimes one that whoever edits the same place may write too, but never one that stands there. */
  #newLine(lines: readonly string[], shared: string): string {
    if (this.#draws.below(3) === 0 && !lines.includes(shared)) return shared
    return `fresh ${this.#fresh++}`
  }

  #editObject(object: JsonObject, depth = 1): JsonObject {
    const key = this.#draws.oneOf(KEYS)
    const value = Object.hasOwn(object, key) ? object[key] : undefined
    const what = this.#draws.below(6)
    if (what === 0) {
      const { [key]: _, ...rest } = object
      return rest
    }
    if (what <= 3 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { ...object, [key]: this.#editObject(value, depth + 1) }
    }
    return { ...object, [key]: this.#newValue(depth) }
  }

  #newValue(depth: number): JsonValue {
    const what = this.#draws.below(6)
    if (what === 0 && depth < 4) return { a: this.#fresh++, b: null }
    if (what === 1) return null
    if (what === 2) return {}
    return what === 3 ? this.#draws.below(2) : `value ${this.#fresh++}`
  }
}
