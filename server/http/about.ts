import type { TSchema } from 'typebox'
import type { ProblemCode } from '../foundation/problemTable.ts'
import type { AnswerHeader, RequestHeader } from './headers.ts'

/** What a route is about; the parts of the API description, in its order. */
export const TAGS = {
  documents: 'Documents as resources: create, list, read, settings, delete.',
  content: 'Writes of content, each on the version it is based on.',
  conflicts: 'Writes and merges that could not both silently stand, and how they are resolved.',
  history: 'Versions, what differs between them, who wrote what, and writes that bring back what was.',
  locks: 'Locks with a time limit and a fence.',
  transactions: 'Several documents written as one.',
  notifications: 'What happened, told by webhooks, a stream or a long poll. The WebSocket is in `/asyncapi.json`.',
  access: 'Tokens and their revocation.',
  operation: 'How the server is doing, and what it says of itself.',
} as const satisfies Readonly<Record<string, string>>
export type Tag = keyof typeof TAGS

/** What one answer of a route is. */
export interface AnswerAbout {
  readonly text: string
  /** Its body by media type, or that of JSON alone; absent: none. */
  readonly body?: TSchema | { readonly byType: Readonly<Record<string, TSchema>> }
  /** Besides those of every answer. A question mark: not always there. */
  readonly headers?: readonly (AnswerHeader | `${AnswerHeader}?`)[]
}

/**
 * What a route tells of itself in the API description (SPEC API-3), besides what its schemas, its access and its method
 * say already. Nothing of it is looked at while a request is answered.
 */
export interface About {
  /** Its name, by which generated clients call it. */
  readonly id: string
  readonly tag: Tag
  readonly summary: string
  readonly text?: string
  /** Request headers it looks at, besides those that every route of its kind does. */
  readonly headers?: readonly RequestHeader[]
  /** What a body is that has no schema, by media type. */
  readonly takes?: Readonly<Record<string, TSchema>>
  readonly answers: Readonly<Record<number, AnswerAbout>>
  /** Problems it may answer, besides those that every route of its kind may. */
  readonly refusals?: readonly ProblemCode[]
  /** False: it takes no `Idempotency-Key`, although it changes something. */
  readonly isKeyed?: false
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Null for pages, which are no part of the API. */
    about?: About | null
  }
}
