import type { JSX } from 'preact'
import type { Content, Kind } from '../parley/types.ts'
import { contentText } from '../state/contents.ts'
import { UnifiedDiff } from './diffEditor.tsx'
import { jsonLook } from './jsonLook.ts'

interface DiffProps {
  readonly kind: Kind
  readonly from: Content
  readonly to: Content
  readonly label: string
  readonly testId: string
  /** What is said where nothing differs. */
  readonly same: string
}

/** What differs between two contents of a document. */
export function ContentDiff({ kind, from, to, label, testId, same }: DiffProps): JSX.Element {
  const [original, value] = [contentText(from), contentText(to)]
  if (original === value) {
    return (
      <p class="muted" data-testid={testId}>
        {same}
      </p>
    )
  }
  const look = kind === 'json' ? { look: jsonLook } : {}
  return <UnifiedDiff original={original} value={value} label={label} testId={testId} {...look} />
}
