/**
 * What every answer tells a browser (SPEC AUTH-6). Constants, for `@fastify/helmet` would make them anew with each request
 * and write them past fastify, which costs a small write a tenth; pages get theirs by it.
 */
const SECURITY_HEADERS = {
  // Contents are served as their authors wrote them: no browser shall take one for a page, or show it within one.
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Frame-Options': 'DENY',
  // A URL may hold a token.
  'Referrer-Policy': 'no-referrer',
}
/** Where the public URL says https, browsers shall never come by http; helmet's span of a year. */
const OVER_TLS = { ...SECURITY_HEADERS, 'Strict-Transport-Security': 'max-age=31536000' }

export const securityHeaders = (publicUrl: string): Readonly<Record<string, string>> =>
  publicUrl.startsWith('https:') ? OVER_TLS : SECURITY_HEADERS
