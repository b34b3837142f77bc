/**
 * What the writer's thread and the others tell each other, in the form in which it is handed over. What nearly all of it is
 * goes as flat lists: to copy an act with its rows costs one side 4 us and the other 7, a list less than 1 each.
 */
import { invariant } from '../../foundation/assert.ts'
import type { ActOperation } from './act.ts'
import type { NewHeadRow } from './documents.ts'
import type { SqliteOperation } from './operation.ts'
import type { ExecutedBatch } from './writeQueue.ts'

export type PackedOperation = SqliteOperation | MessageStep

/** Either all is done, with the `value` of each operation, or there is more to tell. */
export type PackedBatch =
  | { readonly values: readonly number[]; readonly commitMs: number }
  | { readonly batch: ExecutedBatch }

/** An act that takes one document a version on and does nothing besides. */
type MessageStep = readonly [
  actAt: number,
  expected: number,
  editor: string | null,
  id: string,
  incarnation: string,
  kind: NewHeadRow['kind'],
  root: string,
  policy: NewHeadRow['conflict_policy'],
  schema: string | null,
  firstVersion: number,
  createdAt: number,
  createdBy: string,
  updatedAt: number,
  updatedBy: string,
  author: string,
  entryAt: number,
  origin: number,
  effect: string | null,
  updateBytes: Uint8Array,
]

export function packOperation(operation: SqliteOperation): PackedOperation {
  if (operation.op !== 'act' || operation.answer !== undefined || !isBare(operation)) return operation
  const [append, more] = operation.appends
  if (append === undefined || more !== undefined || !append.isStep) return operation
  const { expected, pass, head, entry, checkpoint, formerClients } = append
  if (checkpoint !== null || formerClients.length > 0) return operation
  invariant(head.deleted_at === null && pass.token_hash === null, 'a step deletes nothing and shows no lock')
  return [
    operation.at,
    expected,
    pass.editor,
    head.id,
    head.incarnation,
    head.kind,
    head.root,
    head.conflict_policy,
    head.schema,
    head.first_version,
    head.created_at,
    head.created_by,
    head.updated_at,
    head.updated_by,
    entry.author,
    entry.at,
    entry.origin,
    entry.effect,
    entry.update_bytes,
  ]
}

const isBare = ({ conflicts, contents, events, locks, settles, purges, onto = [] }: ActOperation): boolean =>
  [conflicts, contents, events, locks, settles, purges, onto].every(({ length }) => length === 0)

export function unpackOperation(packed: PackedOperation): SqliteOperation {
  if ('op' in packed) return packed
  const [
    at,
    expected,
    editor,
    id,
    incarnation,
    kind,
    root,
    conflict_policy,
    schema,
    first_version,
    created_at,
    created_by,
    updated_at,
    updated_by,
    author,
    entryAt,
    origin,
    effect,
    update_bytes,
  ] = packed
  const version = expected + 1
  // Literals, for to spread parts into them would cost more than all the rest.
  const append = {
    expected,
    isStep: true,
    onto: null,
    pass: { token_hash: null, editor },
    head: {
      id,
      incarnation,
      kind,
      root,
      conflict_policy,
      schema,
      version,
      first_version,
      created_at,
      created_by,
      updated_at,
      updated_by,
      deleted_at: null,
    },
    entry: { version, author, at: entryAt, origin, effect, update_bytes },
    checkpoint: null,
    formerClients: [],
  }
  const appends = [append]
  return { op: 'act', at, appends, conflicts: [], contents: [], events: [], locks: [], settles: [], purges: [] }
}

export function packBatch(batch: ExecutedBatch): PackedBatch {
  const values: number[] = []
  for (const result of batch.results) {
    if (result.status !== 'done' || result.lockExpiresAt !== undefined) return { batch }
    values.push(result.value)
  }
  return { values, commitMs: batch.commitMs }
}

export function unpackBatch(packed: PackedBatch): ExecutedBatch {
  if ('batch' in packed) return packed.batch
  return { results: packed.values.map((value) => ({ status: 'done', value })), commitMs: packed.commitMs }
}
