/**
 * Every error a client can meet, once: HTTP status, WebSocket close code, whether the same request
 * may succeed later, and the text of its help page. The HTTP layer, the socket layers, the served
 * problem pages and the documentation all read this table; a test compares it with README both ways.
 */
interface ProblemKind {
  readonly status: number
  /** WebSocket close code where the problem ends a live session (WIRE: 44xx stops stock clients for good). */
  readonly close?: number
  readonly retryable: boolean
  readonly title: string
  /** What to do about it; the body of the page that `type` leads to. */
  readonly help: string
}

export const PROBLEMS = {
  'invalid-json': {
    status: 400,
    close: 4400,
    retryable: false,
    title: 'The body is not acceptable JSON',
    help: 'Send valid UTF-8 JSON without duplicate keys, lone surrogates, numbers beyond IEEE double range or a `__proto__` key.',
  },
  'invalid-request': {
    status: 400,
    close: 4400,
    retryable: false,
    title: 'The request is malformed',
    help: 'Compare the request with the API description; `detail` names the member, header or query parameter at fault. Unknown members and parameters are errors.',
  },
  'invalid-id': {
    status: 400,
    close: 4404,
    retryable: false,
    title: 'Not a valid document id',
    help: 'A document id matches ^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$.',
  },
  'invalid-cursor': {
    status: 400,
    close: 4400,
    retryable: false,
    title: 'Not a valid cursor',
    help: 'A cursor is opaque: send back exactly what an earlier answer gave you, or leave it out to start anew.',
  },
  'cursor-expired': {
    status: 410,
    retryable: false,
    title: 'The cursor is too old',
    help: 'What came after it is not kept any more. Read the documents and conflicts anew, then go on from the `cursor` of this answer.',
  },
  unauthenticated: {
    status: 401,
    close: 4401,
    retryable: false,
    title: 'Authentication is required',
    help: 'Send `Authorization: Bearer <token>` with a token that is valid now. On WebSocket and Server-Sent Events `?token=` works too. `parley token` issues one.',
  },
  forbidden: {
    status: 403,
    close: 4403,
    retryable: false,
    title: 'Not allowed',
    help: 'You may read this document, but the token lacks the permission that `detail` names.',
  },
  'not-found': {
    status: 404,
    close: 4404,
    retryable: false,
    title: 'Not found',
    help: 'Nothing is there that you may read. To create a document, POST it to /documents, or PUT it with `If-None-Match: *` or `baseVersion: 0`.',
  },
  'method-not-allowed': {
    status: 405,
    retryable: false,
    title: 'Method not allowed',
    help: 'The `Allow` header lists the methods of this path.',
  },
  'document-deleted': {
    status: 410,
    close: 4404,
    retryable: false,
    title: 'The document was deleted',
    help: '`lastVersion` is its last version. It may be created again under the same id; its versions go on counting.',
  },
  'precondition-failed': {
    status: 412,
    retryable: false,
    title: 'The document exists already',
    help: '`If-None-Match: *` creates only. Read the document and write it with `If-Match` instead.',
  },
  'request-timeout': {
    status: 408,
    retryable: true,
    title: 'The request took too long to arrive',
    help: 'Send the request again, on a faster line or in smaller parts.',
  },
  'headers-too-large': {
    status: 431,
    retryable: false,
    title: 'The request line and headers are too large',
    help: 'Together they may hold 16 KiB. A token that names very many patterns may be the cause.',
  },
  'content-too-large': {
    status: 413,
    close: 4413,
    retryable: false,
    title: 'The content is too large',
    help: 'The limit stands in `detail`. Split the content over several documents.',
  },
  'unsupported-media-type': {
    status: 415,
    retryable: false,
    title: 'Unsupported media type',
    help: 'Send one of the types that `Accept-Patch` or `detail` lists.',
  },
  'kind-mismatch': {
    status: 422,
    close: 4409,
    retryable: false,
    title: 'The content is of the wrong kind',
    help: 'A text document holds a string, a json document an object. The kind of a document never changes.',
  },
  'content-too-complex': {
    status: 422,
    close: 4413,
    retryable: false,
    title: 'The content is too deep or has too many nodes',
    help: 'The limits stand in `detail`. Flatten the content or split it over several documents.',
  },
  'schema-violation': {
    status: 422,
    retryable: false,
    title: "The content breaks the document's schema",
    help: '`violations` lists every place and rule. Correct the content, or change the schema first.',
  },
  'invalid-schema': {
    status: 400,
    retryable: false,
    title: 'Not a usable JSON Schema',
    help: 'A schema is JSON Schema 2020-12 without remote references; patterns are RE2 (no look-around, no back-references).',
  },
  'precondition-required': {
    status: 428,
    retryable: false,
    title: 'A base version is required',
    help: 'Name the version you started from by `If-Match: "<etag>"` or by `baseVersion`, so that nobody\'s work is overwritten unseen.',
  },
  'already-exists': {
    status: 409,
    retryable: false,
    title: 'The id is taken',
    help: 'Choose another id, or write the existing document on its current version.',
  },
  'version-conflict': {
    status: 409,
    retryable: false,
    title: 'The document changed since the version this write is based on',
    help: '`conflict` holds base, current, incoming, the exact overlaps and a merge. Post a resolution to /resolve-conflict, or write again on the current version. RFC 9110 says a failed If-Match MAY be answered by 412; Parley answers 409 on purpose, for this answer is meant to be worked with.',
  },
  'weak-etag': {
    status: 409,
    retryable: false,
    title: 'A weak entity tag never matches',
    help: 'A proxy between you and the server may have weakened the ETag (compression does that). Turn that off, or use `baseVersion`.',
  },
  'unknown-base': {
    status: 409,
    retryable: false,
    title: 'The document never had this version',
    help: 'The document may have been deleted and created again, or the server was restored from a backup. Read it and start from its current version.',
  },
  'base-compacted': {
    status: 409,
    retryable: false,
    title: 'The base version was compacted away',
    help: '`current` and `nearest` name versions that are kept. Read one of them and start from there.',
  },
  'version-compacted': {
    status: 410,
    retryable: false,
    title: 'The version was compacted away',
    help: 'What one author typed within a few minutes becomes one version after a day. `nearest` names the closest version that is kept. A version with a label is kept for good.',
  },
  'patch-failed': {
    status: 409,
    retryable: false,
    title: 'The patch does not apply to its base',
    help: '`detail` names the operation. Nothing was written: read the document and make the patch anew.',
  },
  locked: {
    status: 423,
    close: 1013,
    retryable: true,
    title: 'The document is locked',
    help: '`owner` holds it until `expiresAt`, or until they release it. Write with their `Lock-Token`, or wait: POST …/lock with `waitSeconds` queues you; `queuePosition` is the place in that line. `Retry-After` says when the lock expires if nobody renews it.',
  },
  'lock-lost': {
    status: 423,
    retryable: false,
    title: 'The lock is not held any more',
    help: 'It expired, was released or broken, and may have passed on since; nothing was written. Acquire the lock anew, and read the document: others may have written it.',
  },
  'conflict-closed': {
    status: 409,
    retryable: false,
    title: 'The conflict is already closed',
    help: '`conflict` shows how it ended, and by whom.',
  },
  'conflict-expired': {
    status: 410,
    retryable: false,
    title: 'The document of this conflict was deleted',
    help: 'The conflict can be read, but no longer resolved.',
  },
  'proposal-closed': {
    status: 409,
    retryable: false,
    title: 'The proposal is no longer pending',
    help: '`conflict` shows who decided it.',
  },
  'invalid-resolution': {
    status: 422,
    retryable: false,
    title: 'The resolution cannot be applied',
    help: '`errors` names each overlap, choice or proposal at fault. Nothing was written.',
  },
  'too-many-proposals': {
    status: 422,
    retryable: true,
    title: 'The conflict has too many pending proposals',
    help: 'Someone with `resolve` has to accept or reject some of them first.',
  },
  'too-many-webhooks': {
    status: 422,
    retryable: true,
    title: 'There are too many webhooks of this principal',
    help: 'GET /conflict-notifications/webhooks lists them. Delete one that is not needed, or ask for more documents with one.',
  },
  'webhook-disabled': {
    status: 409,
    retryable: false,
    title: 'The webhook is disabled',
    help: 'Its receiver answered 410, or the tokens of its owner were revoked. In the first case it works again at another `url` (`PATCH /conflict-notifications/{id}`).',
  },
  'address-refused': {
    status: 422,
    retryable: false,
    title: 'The address may not be reached from here',
    help: 'A webhook is on a public address. An operator who needs others sets PARLEY_WEBHOOK_PRIVATE=true.',
  },
  'transaction-conflict': {
    status: 409,
    retryable: false,
    title: 'An operation of the transaction conflicts',
    help: '`operations` holds, in the order of the request, null or the problem of each. Nothing was written but the conflicts of the stale ones. Resolve them or read anew, then send the transaction again.',
  },
  'transaction-closed': {
    status: 409,
    retryable: false,
    title: 'The transaction is not open',
    help: '`transactionStatus` says what it is: `committing`, `committed`, `refused` or `rolled-back`. Begin another one.',
  },
  'too-many-transactions': {
    status: 422,
    retryable: true,
    title: 'There are too many open transactions of this principal',
    help: 'Commit or roll back some of them; idle ones expire.',
  },
  'idempotency-key-reused': {
    status: 422,
    retryable: false,
    title: 'The idempotency key was used for another request',
    help: 'A key stands for one request, with its method, path, query, body and conditions. Draw a new key for a new request.',
  },
  'request-in-progress': {
    status: 409,
    retryable: true,
    title: 'The first request with this key is still running',
    help: 'Send the same request again after the time in `Retry-After`; its answer is then the first one.',
  },
  'missing-dependencies': {
    status: 400,
    close: 4500,
    retryable: true,
    title: 'The update builds on something the server does not have',
    help: 'Connect again and synchronise from the start; a stock provider does so by itself.',
  },
  'other-history': {
    status: 409,
    close: 4409,
    retryable: false,
    title: 'This client holds another history of the document',
    help: 'The document was deleted and created again. Discard the local copy and open the document anew.',
  },
  'message-too-large': {
    status: 413,
    close: 1009,
    retryable: false,
    title: 'The message is too large',
    help: 'Send smaller messages; the limit is the content limit and one MiB.',
  },
  'too-many-requests': {
    status: 429,
    close: 4529,
    retryable: true,
    title: 'Too many requests',
    help: 'Send fewer in the same time, or keep fewer sockets and streams open. `Retry-After` says when the next one is welcome; on a socket, connect again a little later.',
  },
  'too-slow': {
    status: 503,
    close: 1013,
    retryable: true,
    title: 'The connection reads too slowly',
    help: 'Connect again and resume; nothing is lost.',
  },
  'document-damaged': {
    status: 500,
    close: 1011,
    retryable: false,
    title: 'The stored document is damaged',
    help: 'The log of this document fails its checksums. Run `parley verify`, and restore it from a backup.',
  },
  'storage-unavailable': {
    status: 503,
    close: 1013,
    retryable: true,
    title: 'The storage cannot be written',
    help: 'The disk is full or the database is out of reach. Reads go on; try again later.',
  },
  'keys-unavailable': {
    status: 503,
    close: 1013,
    retryable: true,
    title: "The identity provider's keys are out of reach",
    help: 'The token is signed by a key that this server does not know yet, and its provider does not answer. Try again.',
  },
  'shutting-down': {
    status: 503,
    close: 1012,
    retryable: true,
    title: 'The server is stopping',
    help: 'Connect again: a restart takes a moment.',
  },
  overloaded: {
    status: 503,
    close: 1013,
    retryable: true,
    title: 'Too much is waiting',
    help: 'Try again after the time in `Retry-After`.',
  },
  internal: {
    status: 500,
    close: 1011,
    retryable: true,
    title: 'Something went wrong in the server',
    help: 'This is a bug in Parley: please report it with the request and the time.',
  },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof PROBLEMS

/** The facts of one code, widened so that `close` can be asked of every one. */
export const problemKind = (code: ProblemCode): ProblemKind => PROBLEMS[code]
