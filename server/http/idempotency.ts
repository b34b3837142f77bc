/**
 * Repeats of a request (SPEC WRITE-8): the first 2xx or 409 answer under an `Idempotency-Key` is stored with the act it
 * tells of, and whoever sends the same again within a day gets it again.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Content } from '../content/content.ts'
import type { Answer, NeededPermission, StoredAnswer, Terms } from '../foundation/answer.ts'
import type { ShownContent, ShownIn } from '../foundation/shownContent.ts'
import { invariant } from '../foundation/assert.ts'
import type { Environment } from '../foundation/environment.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { toJson } from '../foundation/renderedJson.ts'
import { ParleyError, requestInProgress } from '../foundation/problems.ts'
import { problemKind } from '../foundation/problemTable.ts'
import { yieldTurn } from '../foundation/turns.ts'
import { assertStillAllowed, requirePermission } from './access.ts'
import { pathOf, problemAnswer } from './errors.ts'
import { fingerprintOf, idempotencyKey } from './idempotencyKey.ts'

/** How long an answer is kept (SPEC WRITE-8). */
const KEPT_MS = 24 * 3600 * 1000
/** Requests with a key at one time; each waits for its answer, so there are about as many as connections. */
const MAX_RUNNING = 10_000

/** Where answers are kept. */
export interface AnswerStore {
  answer(principal: PrincipalId, key: string): Promise<StoredAnswer | null>
  /** Stores an answer that no act goes with. Rejects with `request-in-progress` where the key has one already. */
  keep(answer: StoredAnswer): Promise<void>
}

/** What a handler answers: `body` becomes JSON; none is sent where it is absent. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
  /** What is stored in place of a body with secrets in it: whoever reads the database could use them. See `reveal`. */
  readonly keptBody?: object
  /** Where `body` shows contents that the log has as well: they are read from there for a repeat, and not stored again. */
  readonly contents?: readonly ShownContent[]
  /** The same, found in the body. */
  readonly shownIn?: ShownIn
}

/** A request that changes something. */
export interface Performance<Outcome> {
  /** What the answer may speak of (SPEC HIST-5). */
  readonly documents: readonly DocumentId[]
  /** Does it, under terms that go with whatever is stored. */
  readonly perform: (terms: Terms<Outcome>) => Promise<Outcome>
  /** A problem is answered like one that `perform` throws. The same outcome gives the same answer. */
  readonly answer: (outcome: Outcome) => Reply | ParleyError | Promise<Reply | ParleyError>
  /** What was needed on `documents` for what was done, so for being told of it again; `read` where it is absent. */
  readonly needs?: (outcome: Outcome) => NeededPermission
  /** The body of a success from its `keptBody`. Throws where that cannot be told any more. */
  readonly reveal?: (kept: object) => object
  /** Resolves when what a stored answer tells has come about, where that goes on after the answer was stored. */
  readonly ended?: () => Promise<void>
}

export interface IdempotencyParts {
  readonly store: AnswerStore
  /** Reads a content where it stands. Throws where that was erased. */
  readonly contentOf: (shown: ShownContent) => Promise<Content>
  readonly environment: Environment
  readonly publicUrl: () => string
}

/** Answers every request that changes something, each with a key once only. */
export class Idempotency {
  readonly #parts: IdempotencyParts
  /** Fingerprints of the requests that have no answer yet, by principal and key. */
  readonly #running = new Map<string, string>()

  constructor(parts: IdempotencyParts) {
    this.#parts = parts
  }

  /**
   * Performs the request and sends its answer, or sends the answer it got before. The rights of the principal have
   * been checked. Throws what `perform` does, `idempotency-key-reused` and `request-in-progress`.
   */
  async answer<Outcome>(
    request: FastifyRequest,
    reply: FastifyReply,
    performance: Performance<Outcome>,
  ): Promise<FastifyReply> {
    const key = idempotencyKey(request)
    const allowed = (): void => assertStillAllowed(request)
    // What arrived in one turn of the event loop is performed in the next, one right after the other: a processor that goes
    // from parsing to planning and back with each takes half as long again, for it forgets the one over the other.
    await yieldTurn()
    if (key === null) {
      const outcome = await performance.perform({ assertAllowed: allowed, keep: null })
      const answered = performance.answer(outcome)
      const made = answered instanceof Promise ? await answered : answered
      if (made instanceof ParleyError) throw made
      const { status, headers, body } = jsonAnswer(made)
      return reply
        .code(status)
        .headers(headers)
        .send(body ?? undefined)
    }
    const { answer, isRepeat } = await this.#once(request, key, performance, allowed)
    if (isRepeat) void reply.header('Idempotency-Replayed', 'true')
    return reply
      .code(answer.status)
      .headers(answer.headers)
      .send(answer.body ?? undefined)
  }

  async #once<Outcome>(
    request: FastifyRequest,
    key: string,
    performance: Performance<Outcome>,
    assertAllowed: () => void,
  ): Promise<{ answer: Answer; isRepeat: boolean }> {
    const { sub } = request.principal
    const fingerprint = fingerprintOf(request)
    const slot = JSON.stringify([sub, key])
    const running = this.#running.get(slot)
    if (running !== undefined) throw running === fingerprint ? requestInProgress() : reused()
    if (this.#running.size >= MAX_RUNNING) throw new ParleyError('overloaded', 'Too many requests have a key.')
    this.#running.set(slot, fingerprint)
    try {
      const known = await this.#parts.store.answer(sub, key)
      if (known !== null && known.expiresAt > this.#parts.environment.now()) {
        if (known.fingerprint !== fingerprint) throw reused()
        // It may speak of documents that the request does not name.
        for (const document of known.documents) requirePermission(request.principal, known.needs ?? 'read', document)
        await performance.ended?.()
        return { answer: revealed(await filled(known, this.#parts.contentOf), performance.reveal), isRepeat: true }
      }
      const path = pathOf(request.raw.url ?? '/')
      const answer = await performOnce(
        { principal: sub, key, fingerprint, assertAllowed },
        path,
        performance,
        this.#parts,
      )
      return { answer, isRepeat: false }
    } finally {
      this.#running.delete(slot)
    }
  }
}

interface KeyedRequest {
  readonly principal: PrincipalId
  readonly key: string
  readonly fingerprint: string
  readonly assertAllowed: () => void
}

/** Performs one request that has a key, and sees to it that its answer is stored. */
async function performOnce<Outcome>(
  { assertAllowed, ...identity }: KeyedRequest,
  path: string,
  performance: Performance<Outcome>,
  { store, environment, publicUrl }: IdempotencyParts,
): Promise<Answer> {
  const rendered = new Map<Outcome | ParleyError, Answer>()
  const render = async (outcome: Outcome | ParleyError): Promise<Rendered> => {
    const made = outcome instanceof ParleyError ? outcome : await performance.answer(outcome)
    if (made instanceof ParleyError) {
      if (!isKept(made)) throw made
      const problem = problemAnswer(made, publicUrl(), path)
      return { sent: problem, kept: leanOf(problem, made.shownIn) }
    }
    return { sent: jsonAnswer(made), kept: keptOf(made) }
  }
  const stored = (outcome: Outcome | ParleyError, answer: LeanAnswer): StoredAnswer => {
    const at = environment.now()
    const needs = outcome instanceof ParleyError ? undefined : performance.needs?.(outcome)
    const { documents } = performance
    return { ...answer, ...identity, documents, ...(needs && { needs }), at, expiresAt: at + KEPT_MS }
  }
  const keep: Terms<Outcome>['keep'] = async (outcome) => {
    const { sent, kept } = await render(outcome)
    rendered.set(outcome, sent)
    return stored(outcome, kept)
  }
  const outcome = await performance.perform({ assertAllowed, keep }).catch((error: unknown) => {
    if (error instanceof ParleyError && isKept(error)) return error
    throw error
  })
  // An act that came about returns, or throws, the very outcome whose answer went with it.
  const told = rendered.get(outcome)
  if (told !== undefined) return told
  const { sent, kept } = await render(outcome)
  await store.keep(stored(outcome, kept))
  return sent
}

/** Null stands where `contents` says that content is to be put. */
type LeanAnswer = Answer & Pick<StoredAnswer, 'contents'>

/** An answer as it is sent, and as it is stored. */
interface Rendered {
  readonly sent: Answer
  readonly kept: LeanAnswer
}

/** An answer without its secrets, and without the contents that stand in the log. */
function keptOf(reply: Reply): LeanAnswer {
  const { keptBody = reply.body, contents = [], shownIn } = reply
  if (keptBody === undefined) return jsonAnswer(reply)
  if (shownIn) return leanOf(jsonAnswer(reply), shownIn)
  const body = contents.reduce<object>((rest, { path }) => withMember(rest, path, null), keptBody)
  return { ...jsonAnswer({ ...reply, body }), ...(contents.length > 0 && { contents }) }
}

/** An answer without what is found in it and stands elsewhere. */
function leanOf(answer: Answer, shownIn: ShownIn | null): LeanAnswer {
  if (shownIn === null || answer.body === null) return answer
  const whole = parsedBody(answer.body)
  const contents = shownIn(whole)
  if (contents.length === 0) return answer
  const body = contents.reduce<object>((rest, { path }) => withMember(rest, path, null), whole)
  return { ...answer, body: JSON.stringify(body), contents }
}

/** A stored answer with the contents that stand in the log. Byte for byte what was sent: members keep their places. */
async function filled(known: StoredAnswer, contentOf: IdempotencyParts['contentOf']): Promise<Answer> {
  if (known.contents === undefined || known.body === null) return known
  let body = parsedBody(known.body)
  for (const shown of known.contents) body = withMember(body, shown.path, await contentOf(shown))
  return { ...known, body: JSON.stringify(body) }
}

/** A copy of `whole` with `value` where `path` leads: to a member or an element that is there. */
function withMember(whole: unknown, [step, ...rest]: ShownContent['path'], value: Content | null): object {
  const leadsOn = typeof whole === 'object' && whole !== null && step !== undefined && Object.hasOwn(whole, step)
  invariant(leadsOn, 'a path leads to a member')
  const changed = rest.length === 0 ? value : withMember(Reflect.get(whole, step), rest, value)
  return Array.isArray(whole) ? whole.with(Number(step), changed) : { ...whole, [step]: changed }
}

/** A stored answer with what was not stored of it. */
function revealed(known: Answer, reveal: ((kept: object) => object) | undefined): Answer {
  if (reveal === undefined || known.body === null || known.status >= 300) return known
  return { ...known, body: JSON.stringify(reveal(parsedBody(known.body))) }
}

function parsedBody(text: string): object {
  const body: unknown = JSON.parse(text)
  invariant(typeof body === 'object' && body !== null, 'answers have objects as bodies')
  return body
}

/** Other problems than a 409 do not use the key up, nor does the one that says that it is in use. */
const isKept = ({ code }: ParleyError): boolean => problemKind(code).status === 409 && code !== 'request-in-progress'

const jsonAnswer = ({ status, headers = {}, body }: Reply): Answer =>
  body === undefined
    ? { status, headers, body: null }
    : {
        status,
        headers: { ...headers, 'content-type': 'application/json; charset=utf-8' },
        body: toJson(body),
      }

const reused = (): ParleyError =>
  new ParleyError('idempotency-key-reused', 'This Idempotency-Key was used for another request.')
