import type { Answer } from '../support/server.ts'
import type { Scene } from './stallingAct.ts'

export const KIBIBYTE = 1024
export const MEBIBYTE = 1024 * KIBIBYTE
const PROSE = 'Forty-nine characters of a line of ordinary prose.\n'

/** So many bytes of lines, a line at least, up to a content's limit. */
export const prose = (bytes: number): string =>
  PROSE.repeat(Math.max(1, Math.floor(Math.min(bytes, 10 * MEBIBYTE) / PROSE.length)))

export async function createDocument({ writer, id }: Scene, made: Record<string, unknown>): Promise<void> {
  await answered(writer.post('/documents', { id, ...made }), 201)
}

/** Throws where the answer is another. */
export async function answered(asked: Promise<Answer>, wanted: number): Promise<Answer> {
  const answer = await asked
  if (answer.status === wanted) return answer
  throw new Error(`${wanted} was expected, and not ${answer.status}: ${JSON.stringify(answer.body).slice(0, 400)}`)
}
