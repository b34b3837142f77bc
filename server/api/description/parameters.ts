/** Parameters of paths, which are checked where they are read; the patterns are the same. */
import { Type, type TSchema } from 'typebox'
import { PROBLEMS } from '../../foundation/problemTable.ts'
import { TRANSACTION_ID_PATTERN } from '../../transactions/staged.ts'
import {
  ConflictIdShape,
  DocumentIdShape,
  oneOf,
  ProposalIdShape,
  VersionShape,
  WebhookIdShape,
} from '../shapes/values.ts'

interface PathParameter {
  readonly text: string
  readonly schema: TSchema
}

export const PATH_PARAMETERS: Readonly<Record<string, PathParameter>> = {
  id: { text: 'The id of the document.', schema: DocumentIdShape },
  version: { text: 'A version of the document.', schema: VersionShape },
  conflict: { text: 'The id of the conflict.', schema: ConflictIdShape },
  proposal: { text: 'The id of the proposal.', schema: ProposalIdShape },
  webhook: { text: 'The id of the webhook.', schema: WebhookIdShape },
  transaction: {
    text: 'The id of the transaction.',
    schema: Type.String({ pattern: TRANSACTION_ID_PATTERN, maxLength: 30 }),
  },
  code: { text: 'The `code` of a problem document.', schema: oneOf(Object.keys(PROBLEMS)) },
}
