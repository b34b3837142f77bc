import type { FastifyInstance } from 'fastify'

/** The end of a tag that names a version, whatever coding it names besides. */
const VERSION = /^"[^"]*-([1-9][0-9]*)"$/

/** SPEC API-9: what an `ETag` names is also in a header that no proxy knows, for some drop tags of what they compress. */
export function addVersionHeader(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload: unknown, done) => {
    const tag = reply.getHeader('ETag')
    const version = typeof tag === 'string' ? VERSION.exec(tag)?.[1] : undefined
    if (version !== undefined) void reply.header('Parley-Version', version)
    if (reply.statusCode === 304) keepName(request.headers['if-none-match'], tag, (kept) => reply.header('ETag', kept))
    done(null, payload)
  })
}

/** A 304 names what the client has, by the name that it knows it by: caches look for that very one (RFC 9111 §4.3.4). */
function keepName(sent: string | undefined, tag: unknown, rename: (kept: string) => unknown): void {
  if (sent === undefined || typeof tag !== 'string') return
  const known = sent.split(',').map((one) => one.trim())
  const bare = tag.slice(0, -1)
  const kept = known.includes(tag)
    ? undefined
    : known.find((one) => one.startsWith(bare) && /^(?:--?|;)\w+"$/.test(one.slice(bare.length)))
  if (kept !== undefined) rename(kept)
}
