/**
 * A thread in which long texts are merged. Started by merges.ts.
 */
import { mergingTexts } from '../documents/refusalMerger.ts'
import { answerQuestions } from '../threads/answering.ts'

answerQuestions(mergingTexts)
