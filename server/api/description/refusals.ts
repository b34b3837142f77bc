import type { ProblemCode } from '../../foundation/problemTable.ts'
import type { DescribedRoute } from './routes.ts'

/** Which problems every route of a kind may answer; what a route adds to them stands in its own description. */
const KINDS: readonly { readonly isOf: (route: DescribedRoute) => boolean; readonly codes: readonly ProblemCode[] }[] =
  [
    { isOf: () => true, codes: ['invalid-request', 'internal', 'shutting-down'] },
    {
      isOf: ({ access }) => access !== 'public',
      codes: ['unauthenticated', 'too-many-requests', 'keys-unavailable', 'overloaded', 'storage-unavailable'],
    },
    { isOf: ({ access }) => isOnDocument(access), codes: ['invalid-id', 'not-found', 'document-damaged'] },
    {
      isOf: ({ access }) => typeof access === 'object' && !('needs' in access && access.needs === 'read'),
      codes: ['forbidden'],
    },
    {
      isOf: ({ method }) => changes(method),
      codes: ['invalid-json', 'unsupported-media-type', 'content-too-large', 'content-too-complex'],
    },
    { isOf: isKeyed, codes: ['idempotency-key-reused', 'request-in-progress'] },
  ]

const isOnDocument = (access: DescribedRoute['access']): boolean => typeof access === 'object' && 'document' in access

export const changes = (method: string): boolean => method !== 'GET'

/** Whether it takes an `Idempotency-Key`. */
export function isKeyed({ method, about }: DescribedRoute): boolean {
  return changes(method) && about.isKeyed !== false
}

/** Those of its kind. */
export const kindRefusals = (route: DescribedRoute): readonly ProblemCode[] =>
  KINDS.filter(({ isOf }) => isOf(route)).flatMap(({ codes }) => codes)

/** Every problem that a route may answer. */
export const refusalsOf = (route: DescribedRoute): readonly ProblemCode[] => [
  ...new Set([...kindRefusals(route), ...(route.about.refusals ?? [])]),
]
