import type { Content, JsonObject, Kind } from '../content/content.ts'
import { toTimestamp } from '../foundation/environment.ts'
import { nextVersion, type DocumentId, type Incarnation, type PrincipalId, type Version } from '../foundation/ids.ts'
import { markOf } from '../foundation/mark.ts'

export const CONFLICT_POLICIES = ['manual', 'merge', 'incoming-wins', 'current-wins'] as const
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number]

export const ORIGINS = [
  'create',
  'write',
  'live',
  'merge',
  'resolution',
  'restore',
  'revert',
  'transaction',
  'settings',
  'delete',
] as const
export type Origin = (typeof ORIGINS)[number]

/** A JSON Schema 2020-12 as a client sent it. */
export type JsonSchema = JsonObject | boolean

/** What may change about a document besides its content; such a change is an entry too. */
export interface Settings {
  readonly conflictPolicy: ConflictPolicy
  readonly schema: JsonSchema | null
}

/** Of a document that is created without any. */
export const DEFAULT_SETTINGS: Settings = { conflictPolicy: 'manual', schema: null }

/** The settings alone. */
export const settingsOf = ({ conflictPolicy, schema }: Settings): Settings => ({ conflictPolicy, schema })

/** The newest state of a document without its content. Times are milliseconds since the epoch. */
export interface Head extends Settings {
  readonly id: DocumentId
  readonly incarnation: Incarnation
  readonly kind: Kind
  /** Name of the Yjs root type that holds the content. */
  readonly root: string
  readonly version: Version
  /** The version that began this incarnation: its `create` (or `restore`) entry. */
  readonly firstVersion: Version
  readonly createdAt: number
  readonly createdBy: PrincipalId
  readonly updatedAt: number
  readonly updatedBy: PrincipalId
  /** When it was deleted; null while it lives. */
  readonly deletedAt: number | null
}

/** The head after one more entry that leaves the settings as they are. Field by field, for it is made with every write. */
export const headAfter = (head: Head, { author, at }: { readonly author: PrincipalId; readonly at: number }): Head => ({
  id: head.id,
  incarnation: head.incarnation,
  kind: head.kind,
  root: head.root,
  conflictPolicy: head.conflictPolicy,
  schema: head.schema,
  version: nextVersion(head.version),
  firstVersion: head.firstVersion,
  createdAt: head.createdAt,
  createdBy: head.createdBy,
  updatedAt: at,
  updatedBy: author,
  deletedAt: head.deletedAt,
})

/** Whether nothing is left of a document but its id and its last version. */
export const isPurged = (head: Head): boolean => head.firstVersion > head.version

/** When and by whom a document was deleted, for those who ask for it. */
export const deletionOf = (head: Head) => ({
  deletedAt: toTimestamp(head.deletedAt ?? head.updatedAt),
  deletedBy: head.updatedBy,
  purged: isPurged(head),
})

/** The head of a purged document: no version of it is left, and nobody's name but who purged it. */
export function purgedHead(head: Head, by: PrincipalId): Head {
  const at = head.deletedAt ?? head.updatedAt
  return {
    ...head,
    root: DEFAULT_ROOT,
    ...DEFAULT_SETTINGS,
    firstVersion: nextVersion(head.version),
    createdAt: at,
    createdBy: by,
    updatedAt: at,
    updatedBy: by,
  }
}

/** A document at one version: what a GET shows. */
export interface DocumentState {
  readonly head: Head
  readonly content: Content
}

/**
 * Tells a version from another that had its number before the database file was put back (SPEC OPS-7): who made its
 * entry, and when. Both stay with it, however its row is kept.
 */
export const versionMark = ({ author, at }: { readonly author: PrincipalId; readonly at: number }): string =>
  markOf(`${at} ${author}`)

/** The same of the newest version. */
export const headMark = ({ updatedBy, updatedAt }: Head): string => versionMark({ author: updatedBy, at: updatedAt })

export const DEFAULT_ROOT = 'content'

/**
 * Logs are kept in blocks of so many versions; the last version of a block is never compacted away. Working on one
 * takes some milliseconds, of which the longest piece is what everything else waits for.
 */
export const BLOCK_VERSIONS = 256
