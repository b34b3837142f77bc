/**
 * A thread in which contents are judged by schemas, and schemas are compiled. Started by schemas.ts.
 */
import { judgingSchemas } from '../documents/schemaJudge.ts'
import { answerQuestions } from '../threads/answering.ts'

answerQuestions(judgingSchemas)
