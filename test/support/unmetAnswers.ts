/** Codes that are answered in one place for every route: to be met on one of them. */
const IN_ONE_PLACE = [
  'internal',
  'shutting-down',
  'keys-unavailable',
  'overloaded',
  'storage-unavailable',
  'document-damaged',
  'too-many-requests',
  'request-in-progress',
  'idempotency-key-reused',
  'content-too-large',
  'content-too-complex',
  'base-compacted',
  'webhook-disabled',
]

/** What is described and met by no test, with the reason. */
const UNMET: readonly { readonly answer: RegExp; readonly why: string }[] = [
  {
    answer: /^acquireLock 423 lock-lost$/,
    why: 'a repeat after the secret of the server has changed; locks.test.ts makes the token again without a server',
  },
  {
    answer: /^(restoreVersion|revertAuthor) 422 content-too-complex$/,
    why: 'what is written was kept before: only a start with lower limits refuses it',
  },
]

/** What is described and was not seen, and what is listed here and was. */
export function unmet(described: ReadonlySet<string>, seen: ReadonlySet<string>): string[] {
  const codes = new Set([...seen].map(codeOf))
  const isMet = (answer: string): boolean =>
    seen.has(answer) || (IN_ONE_PLACE.includes(codeOf(answer)) && codes.has(codeOf(answer)))
  const missing = [...described].filter((answer) => !isMet(answer) && !UNMET.some((one) => one.answer.test(answer)))
  const stale = UNMET.filter(({ answer }) => [...seen].some((one) => described.has(one) && answer.test(one)))
  return [
    ...missing.toSorted(),
    ...stale.map(({ answer }) => `${String(answer)} is listed as met by no test, and is met`),
  ]
}

/** Of `operation status code`. */
const codeOf = (answer: string): string => answer.split(' ')[2] ?? ''
