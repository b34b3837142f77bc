import type { FastifyRequest, preValidationHookHandler } from 'fastify'
import { isObject, type Content, type JsonValue } from '../content/content.ts'
import { checkContent, type ContentLimits } from '../content/limits.ts'
import { ParleyError } from '../foundation/problems.ts'
import { isJson } from './contentPatch.ts'
import { assertSize } from '../documents/planWrite.ts'

/** A hook that refuses a content past its limit before all else in the body is looked at: 413 comes before 400 (SPEC API-4). */
export function sizeFirst(
  limits: ContentLimits,
  contentOf: (request: FastifyRequest) => unknown,
): preValidationHookHandler {
  return (request, _reply, done) => {
    try {
      const content = contentOf(request)
      if (isContent(content)) assertSize(content, limits)
    } catch (error) {
      done(error instanceof Error ? error : new Error('A hook threw something else', { cause: error }))
      return
    }
    done()
  }
}

/**
 * The same for the operations of a transaction: `refused` answers what they are refused with, each with its problem or null
 * (SPEC TX-3).
 */
export function sizesFirst(
  limits: ContentLimits,
  refused: (problems: readonly (ParleyError | null)[]) => ParleyError | null,
): preValidationHookHandler {
  return ({ body }, _reply, done) => {
    const operations = isJson(body) && isObject(body) ? body['operations'] : null
    const problems = Array.isArray(operations) ? operations.map((one) => tooLarge(one, limits)) : []
    done(refused(problems) ?? undefined)
  }
}

function tooLarge(operation: JsonValue, limits: ContentLimits): ParleyError | null {
  const content = isObject(operation) && Object.hasOwn(operation, 'content') ? operation['content'] : undefined
  if (!isContent(content)) return null
  const breach = checkContent(content, limits)
  return breach?.code === 'content-too-large' ? new ParleyError(breach.code, breach.detail) : null
}

/** The member of that name, of a body that was not validated yet. */
export const contentMember = ({ body }: FastifyRequest): unknown =>
  isJson(body) && isObject(body) && Object.hasOwn(body, 'content') ? body['content'] : undefined

const isContent = (value: unknown): value is Content => typeof value === 'string' || (isJson(value) && isObject(value))
