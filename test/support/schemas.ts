import { mergingTexts, RefusalMerger } from '../../server/documents/refusalMerger.ts'
import { judgingSchemas, SchemaJudge } from '../../server/documents/schemaJudge.ts'
import { deskHere } from '../../server/threads/desk.ts'

/** Judges by schemas without a thread. */
export const schemasHere = (): SchemaJudge => new SchemaJudge(deskHere(judgingSchemas))

/** Merges without a thread. */
export const mergerHere = (): RefusalMerger => new RefusalMerger(deskHere(mergingTexts))
