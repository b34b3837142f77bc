/** Transactions as the API shows them (SPEC TX-1 to TX-3). */
import { Type } from 'typebox'
import { ProblemShape } from './problems.ts'
import {
  ConflictIdShape,
  ContentShape,
  DocumentIdShape,
  EtagShape,
  listOf,
  oneOf,
  TimeShape,
  VersionShape,
} from './values.ts'

const TransactionIdShape = Type.String({ maxLength: 30, pattern: '^txn_' })
const action = oneOf(['create', 'put', 'patch', 'delete'])
const outcome = oneOf(['created', 'written', 'merged', 'unchanged', 'overwrote', 'deleted'])
const done = {
  version: VersionShape,
  etag: EtagShape,
  outcome,
  conflictId: Type.Optional(ConflictIdShape),
  content: Type.Optional(ContentShape),
  truncated: Type.Optional(Type.Literal(true)),
}
export const CommittedShape = Type.Object(
  { operations: listOf(Type.Object({ id: DocumentIdShape, ...done }, { title: 'Operation' }), { maxItems: 100 }) },
  { title: 'Committed', description: 'What became of each operation, in the order of the request.' },
)

const staged = {
  id: TransactionIdShape,
  status: oneOf(['open', 'committing', 'committed', 'refused', 'rolled-back']),
  expiresAt: TimeShape,
}
export const StagedShape = Type.Object(
  { ...staged, operations: listOf(Type.Object({ action, document: DocumentIdShape })) },
  { title: 'Transaction' },
)
export const PreviewShape = Type.Object(
  {
    ...staged,
    operations: listOf(
      Type.Union([
        Type.Object({ action, document: DocumentIdShape, ...done }),
        Type.Object({ action, document: DocumentIdShape, problem: ProblemShape }),
      ]),
    ),
  },
  { title: 'TransactionPreview', description: 'What each operation would come to now; nothing is written by looking.' },
)
