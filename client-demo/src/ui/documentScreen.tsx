import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { Notices } from '../state/notices.ts'
import { DocumentPage, type DocumentPageProps } from './documentPage.tsx'
import { PartsContext, useParts } from './parts.ts'

/** A document with notices of its own: news of one never show up at another, whenever they come. */
export function DocumentScreen(props: DocumentPageProps): JSX.Element {
  const outer = useParts()
  const parts = useMemo(() => ({ ...outer, notices: new Notices() }), [outer, props.id])
  return (
    <PartsContext.Provider value={parts}>
      <DocumentPage {...props} />
    </PartsContext.Provider>
  )
}
