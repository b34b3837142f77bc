import type { JSX } from 'preact'
import { CommandBlock } from './commandBlock.tsx'
import { useStore } from './hooks.ts'
import { useParts } from './parts.ts'

/** What was written in an earlier life of the document, and has no place in this one: to be copied. */
export function LeftText({ id }: { id: string }): JSX.Element | null {
  const { shelf } = useParts()
  const text = useStore(shelf.left).get(id)
  if (text === undefined) return null
  return (
    <section class="banner tone-attention" aria-label="Text that was not saved" data-testid="left-text">
      <p>
        This was not saved when the document it was written in ended. It is in this window only: copy what you need.
      </p>
      <CommandBlock label="The text that was not saved" text={text} testId="left-text-content" />
      <p class="row">
        <button class="button" onClick={() => shelf.discard(id)} data-testid="left-text-discard">
          Discard it
        </button>
      </p>
    </section>
  )
}
