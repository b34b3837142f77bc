import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { Icon } from './icon.tsx'

const SHOW_COPIED_MS = 2_000

/** A command to copy. Where the clipboard is closed to the page, the text is selected instead. */
export function CommandBlock(props: { label: string; text: string; testId?: string }): JSX.Element {
  const code = useRef<HTMLElement>(null)
  const [state, setState] = useState<'idle' | 'copied' | 'selected'>('idle')

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(props.text)
      setState('copied')
    } catch {
      if (code.current !== null) getSelection()?.selectAllChildren(code.current)
      setState('selected')
    }
    setTimeout(() => setState('idle'), SHOW_COPIED_MS)
  }

  const words = { idle: 'Copy', copied: 'Copied', selected: 'Selected' }[state]
  return (
    <figure class="command">
      <pre tabIndex={0} aria-label={props.label}>
        <code ref={code} data-testid={props.testId}>
          {props.text}
        </code>
      </pre>
      <button class="button quiet command-copy" onClick={() => void copy()} aria-label={`${words}: ${props.label}`}>
        <Icon name={state === 'copied' ? 'check' : 'copy'} />
        <span aria-live="polite">{words}</span>
      </button>
    </figure>
  )
}
