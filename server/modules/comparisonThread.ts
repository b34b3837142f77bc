/**
 * A thread in which long texts are compared. Started by comparisons.ts.
 */
import { comparingTexts } from '../documents/textComparer.ts'
import { answerQuestions } from '../threads/answering.ts'

answerQuestions(comparingTexts)
