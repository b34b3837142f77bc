/** Documents, their locks and the answers to writes, as the API shows them. */
import { Type } from 'typebox'
import { SummarySchema } from '../representDocument.ts'
import {
  ContentShape,
  ConflictIdShape,
  CountShape,
  DocumentIdShape,
  EtagShape,
  oneOf,
  NameShape,
  orNull,
  pageShape,
  PersonShape,
  TimeShape,
  TokenShape,
  VersionShape,
} from './values.ts'

export const LockShape = Type.Object(
  { owner: PersonShape, expiresAt: TimeShape, fence: CountShape },
  { title: 'Lock', description: 'Who may write until when. `fence` only grows: pass it on to what the lock protects.' },
)
export const LockStateShape = Type.Object({ lock: orNull(LockShape) }, { title: 'LockState' })
export const OwnedLockShape = Type.Object(
  { token: TokenShape, owner: PersonShape, expiresAt: TimeShape, fence: CountShape },
  { title: 'OwnedLock', description: 'A lock with the token that its holder writes with, as `Lock-Token`.' },
)

export const SummaryShape = Type.Object(SummarySchema.properties, {
  title: 'DocumentSummary',
  description: 'A document without its content.',
})
export const DocumentShape = Type.Object({ ...SummarySchema.properties, content: ContentShape }, { title: 'Document' })
export const ListedDocumentShape = Type.Object(
  { ...SummarySchema.properties, lock: orNull(LockShape), openConflicts: CountShape, updatedByName: orNull(NameShape) },
  { title: 'ListedDocument' },
)
export const DocumentPageShape = pageShape('DocumentPage', ListedDocumentShape)

export const WriteShape = Type.Object(
  {
    id: DocumentIdShape,
    version: VersionShape,
    etag: EtagShape,
    outcome: oneOf(
      ['written', 'unchanged', 'merged', 'overwrote', 'created'],
      '`merged`: what others wrote meanwhile stands in it as well. `overwrote`: what they wrote is kept in the conflict.',
    ),
    updatedAt: TimeShape,
    content: Type.Optional(ContentShape),
    conflictId: Type.Optional(ConflictIdShape),
    document: Type.Optional(DocumentShape),
  },
  {
    title: 'Write',
    description:
      'What became of a write. `content` is that of a merge, `conflictId` goes with `overwrote`, `document` with `Prefer: return=representation`.',
  },
)
