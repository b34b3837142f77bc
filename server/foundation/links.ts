/** The paths of links (SPEC API-7). Pure. */

/** Under which path of its host this server is shown: that of its public URL, without a final slash; empty where it has the host to itself. */
export function prefixOf(publicUrl: string): string {
  const start = publicUrl.indexOf('/', publicUrl.indexOf('//') + 2)
  return start === -1 ? '' : publicUrl.slice(start).replace(/\/$/, '')
}

/** How the paths of this server begin. */
const OWN_STEPS = [
  ...['/v1', '/documents', '/conflicts', '/resolve-conflict', '/transactions', '/conflict-notifications', '/sync'],
  ...[
    '/tokens',
    '/revocations',
    '/problems',
    '/openapi.json',
    '/asyncapi.json',
    '/healthz',
    '/readyz',
    '/docs',
    '/demo',
  ],
  '/hocuspocus',
]

/**
 * The step that a public URL's path and a path of this server both begin with; null where there is none. Nobody could tell
 * whether a proxy took such a prefix away.
 */
export function ownStepIn(publicUrl: string): string | null {
  const step = /^\/[^/]*/.exec(prefixOf(publicUrl))?.[0]
  return OWN_STEPS.find((own) => own === step) ?? null
}

/** The target of a request as the routes know it, whether a proxy took the prefix away or not. */
export function withoutPrefix(target: string, prefix: string): string {
  if (prefix === '' || !target.startsWith(prefix)) return target
  const rest = target.slice(prefix.length)
  if (rest.startsWith('/')) return rest
  return rest === '' || rest.startsWith('?') ? `/${rest}` : target
}

const VERSIONED = /^\/v1(?=\/)/

/** Whether a target without prefix names the version it is for; then links in its answer do as well. */
export const isVersioned = (target: string): boolean => /^\/v1(?:[/?]|$)/.test(target)

/** The path of a target as routes are known by, whichever of its two names it has (SPEC API-1). */
export const withoutVersion = (target: string): string => target.replace(VERSIONED, '')

/** What stands before each link in the answer to a request. */
export const linkBase = (target: string, publicUrl: string): string =>
  prefixOf(publicUrl) + (isVersioned(target) ? '/v1' : '')
