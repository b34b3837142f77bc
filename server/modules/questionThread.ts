/**
 * A thread in which questions are answered that would keep everybody waiting. Started by questions.ts.
 */
import { invariant } from '../foundation/assert.ts'
import { answering } from '../api/questions.ts'
import { openSqliteReading } from '../storage/sqlite/reading.ts'
import { answerQuestions } from '../threads/answering.ts'

const [file, epoch] = process.argv.slice(2)
invariant(file !== undefined && epoch !== undefined, 'the thread is told its file and the epoch of that')
const { view, pause } = openSqliteReading(file, epoch)
answerQuestions(answering(view), { pause })
