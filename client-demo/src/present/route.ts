export type Route =
  | { readonly page: 'home' }
  | { readonly page: 'document'; readonly id: string; readonly conflictId: string | null }

const DOCUMENT = /^#\/documents\/([^/]+)(?:\/conflicts\/([^/]+))?$/

export const HOME = '#/'
export const documentHref = (id: string): string => `#/documents/${encodeURIComponent(id)}`
export const conflictHref = (id: string, conflictId: string): string =>
  `${documentHref(id)}/conflicts/${encodeURIComponent(conflictId)}`

/** The screen a URL's hash names; whatever cannot be read is the list. */
export function routeOf(hash: string): Route {
  const [, id, conflictId] = DOCUMENT.exec(hash) ?? []
  if (id === undefined) return { page: 'home' }
  try {
    return {
      page: 'document',
      id: decodeURIComponent(id),
      conflictId: conflictId === undefined ? null : decodeURIComponent(conflictId),
    }
  } catch {
    return { page: 'home' }
  }
}
