import type { TextChoice } from './mergeText.ts'
import type { JsonChoice } from './mergeJson.ts'
import type { Choice, ChoiceError, JsonOverlap, Overlap, TextOverlap } from './overlap.ts'

/** Reads the choices for the overlaps of a merge; what is missing, unknown or unfit is an error. */
export class Choices {
  readonly #errors: ChoiceError[] = []
  readonly #choices: ReadonlyMap<string, Choice>
  readonly #unknown: Set<string>

  constructor(choices: ReadonlyMap<string, Choice>) {
    this.#choices = choices
    this.#unknown = new Set(choices.keys())
  }

  readonly settleText = (overlap: TextOverlap): TextChoice => {
    const choice = this.#choiceFor(overlap)
    if (typeof choice === 'string' || 'text' in choice) return choice
    return this.#refuse(overlap.id, 'Lines of text take a side or {text}.')
  }

  readonly settleJson = (overlap: JsonOverlap): JsonChoice => {
    const choice = this.#choiceFor(overlap)
    if (typeof choice === 'string') return choice
    if (!('value' in choice)) return this.#refuse(overlap.id, 'A place of a json content takes a side or {value}.')
    if (!overlap.elements || Array.isArray(choice.value)) return choice
    return this.#refuse(overlap.id, 'This place holds several elements: its value is their list.')
  }

  /** Once every overlap was settled: everything that was wrong. */
  errors(): ChoiceError[] {
    for (const overlap of this.#unknown) this.#refuse(overlap, 'There is no such overlap.')
    return this.#errors
  }

  #choiceFor({ id }: Overlap): Choice {
    this.#unknown.delete(id)
    return this.#choices.get(id) ?? this.#refuse(id, 'No choice is made for this overlap.')
  }

  #refuse(overlap: string, message: string): 'current' {
    this.#errors.push({ overlap, message })
    return 'current'
  }
}
