import type { Deletion } from './deletion.ts'
import type { DraftSaver } from './draftSaver.ts'
import type { JsonDraft } from './jsonDraft.ts'
import type { LiveText } from './liveText.ts'
import type { Life } from './shelf.ts'
import type { Store } from './store.ts'
import type { TextEditing } from './textEditing.ts'

export type Phase =
  | { readonly phase: 'loading' }
  | { readonly phase: 'open'; readonly editor: Editor }
  | { readonly phase: 'absent' }
  | { readonly phase: 'deleted'; readonly deletion: Deletion }
  | { readonly phase: 'failed'; readonly reason: string }

/** `life`: of the document, when its editor was opened. */
export type Editor = { readonly life: Life } & (
  | { readonly kind: 'text'; readonly live: LiveText; readonly editing: TextEditing }
  | { readonly kind: 'json'; readonly draft: Store<JsonDraft>; readonly saver: DraftSaver }
)
