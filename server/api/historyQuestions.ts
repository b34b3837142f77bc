import type { FastifyReply, FastifyRequest } from 'fastify'
import { SharedWork } from '../foundation/sharedWork.ts'
import { whileAllowed } from '../http/waiting.ts'
import { openLog } from '../history/versions.ts'
import type { StorageView } from '../storage/view.ts'
import type { Asking, Desk } from '../threads/desk.ts'
import type { HistoryQuestion } from './questions.ts'

/** Asks about histories; who asks for the same at once shares one answer. */
export class HistoryQuestions {
  readonly #storage: StorageView
  readonly #desk: Desk<HistoryQuestion, Uint8Array>
  readonly #shared = new SharedWork<Uint8Array>()

  constructor(storage: StorageView, desk: Desk<HistoryQuestion, Uint8Array>) {
    this.#storage = storage
    this.#desk = desk
  }

  /** Throws what the question comes to. */
  async ask(question: HistoryQuestion, { by, gone = null }: Asking): Promise<Uint8Array> {
    const { head } = await openLog(this.#storage, question.document, question.isAdmin)
    // What is being answered may be from before the newest version, which the asker may know.
    const key = JSON.stringify([question, head.incarnation, head.version])
    return this.#shared.ask(key, gone, (givenUp) => this.#desk.ask(question, { by, gone: givenUp }))
  }
}

/** Answers with what a long question comes to: JSON as its UTF-8. */
export async function answerQuestion(
  request: FastifyRequest,
  reply: FastifyReply,
  ask: (asking: Asking) => Promise<Uint8Array>,
): Promise<FastifyReply> {
  const by = request.principal.sub
  const json = await whileAllowed(request, reply, (gone) => ask({ by, gone }))
  return reply.type('application/json; charset=utf-8').send(Buffer.from(json.buffer, json.byteOffset, json.byteLength))
}
