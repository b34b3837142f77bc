import type { FastifyRequest, preValidationHookHandler } from 'fastify'
import { isObject, type Content } from '../content/content.ts'
import type { ContentLimits } from '../content/limits.ts'
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

/** The member of that name, of a body that was not validated yet. */
export const contentMember = ({ body }: FastifyRequest): unknown =>
  isJson(body) && isObject(body) && Object.hasOwn(body, 'content') ? body['content'] : undefined

const isContent = (value: unknown): value is Content => typeof value === 'string' || (isJson(value) && isObject(value))
