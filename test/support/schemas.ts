import { comparingTexts, TextComparer } from '../../server/documents/textComparer.ts'
import { judgingSchemas, SchemaJudge } from '../../server/documents/schemaJudge.ts'
import { deskHere } from '../../server/threads/desk.ts'

/** Judges by schemas without a thread. */
export const schemasHere = (): SchemaJudge => new SchemaJudge(deskHere(judgingSchemas))

/** Compares without a thread. */
export const comparerHere = (): TextComparer => new TextComparer(deskHere(comparingTexts))
