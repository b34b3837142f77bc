import type { JSX } from 'preact'
import { useStore } from './hooks.ts'
import { Icon } from './icon.tsx'
import { useParts } from './parts.ts'

/** News in passing. It has a place of its own on the page, so that it lies upon nothing it speaks of. */
export function NoticeStack(): JSX.Element {
  const { notices } = useParts()
  const all = useStore(notices.store)
  return (
    <div class="notices" role="status" aria-live="polite" data-testid="notices">
      {all.map(({ id, tone, text, action }) => (
        <div key={id} class={`notice tone-${tone}`} data-testid="notice" data-tone={tone}>
          <p>{text}</p>
          {action && (
            <button
              class="button quiet"
              onClick={() => {
                action.run()
                notices.dismiss(id)
              }}
            >
              {action.label}
            </button>
          )}
          <button class="icon-button" aria-label="Dismiss this notice" onClick={() => notices.dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  )
}
