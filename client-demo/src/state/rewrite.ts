import { applyJsonEdits, type JsonEdit } from '../../../server/content/jsonEdits.ts'
import { linesOf } from '../../../server/content/mergeText.ts'
import { parsePointer, valueAt } from '../../../server/content/pointer.ts'
import type { Choice, Content, JsonObject, JsonOverlap, Overlap, TextOverlap, Value } from '../parley/types.ts'

type Choices = Readonly<Record<string, Choice>>

/** What a live merge left in the document, with the chosen places in it rewritten and all else as it stands. */
export function rewritten(merged: Content, overlaps: readonly Overlap[], choices: Choices): Content {
  // From the last place to the first, so that what is rewritten does not shift what is still to be.
  const backwards = overlaps.toReversed()
  return typeof merged === 'string'
    ? rewrittenText(merged, backwards, choices)
    : rewrittenJson(merged, backwards, choices)
}

function rewrittenText(merged: string, backwards: readonly Overlap[], choices: Choices): string {
  const lines = merged.split('\n')
  for (const overlap of backwards) {
    const choice = choices[overlap.id]
    if (choice === undefined || 'pointer' in overlap || overlap.lines.merged === undefined) continue
    const { start, end } = overlap.lines.merged
    lines.splice(start - 1, end - start, ...chosenLines(overlap, choice))
  }
  return lines.join('\n')
}

function chosenLines(overlap: TextOverlap, choice: Choice): readonly string[] {
  if (typeof choice !== 'string') return 'text' in choice ? linesOf(choice.text, overlap) : []
  const { start, end } = overlap.lines[choice]
  return start === end ? [] : overlap[choice].split('\n')
}

function rewrittenJson(merged: JsonObject, backwards: readonly Overlap[], choices: Choices): JsonObject {
  const edits = backwards.flatMap((overlap): JsonEdit[] => {
    const choice = choices[overlap.id]
    if (choice === undefined || !('pointer' in overlap)) return []
    return editOf(merged, overlap, chosenValue(overlap, choice))
  })
  return applyJsonEdits(merged, edits)
}

function chosenValue(overlap: JsonOverlap, choice: Choice): Value {
  if (typeof choice === 'string') return overlap[choice]
  return 'value' in choice ? { present: true, value: choice.value } : { present: false }
}

function editOf(content: JsonObject, overlap: JsonOverlap, chosen: Value): JsonEdit[] {
  const at = parsePointer(overlap.pointers?.merged ?? overlap.pointer) ?? []
  const parent = overlap.pointers?.merged?.replace(/\/[^/]*$/, '') ?? ''
  const holder = valueAt(content, parent)
  if (at.length > 0 && holder.present && Array.isArray(holder.value)) {
    const [remove, insert] = [elementsOf(overlap, overlap.merged), elementsOf(overlap, chosen)]
    return [{ at: at.slice(0, -1), index: Number(at.at(-1)), remove: remove.length, insert }]
  }
  return [chosen.present ? { at, value: chosen.value } : { at, removed: true }]
}

function elementsOf(
  { elements }: JsonOverlap,
  value: Value = { present: false },
): Extract<JsonEdit, { insert: unknown }>['insert'] {
  if (!value.present) return []
  return elements === true && Array.isArray(value.value) ? value.value : [value.value]
}
