import type { ProblemCode } from '../foundation/problemTable.ts'

/** What happened, by code, for somebody who was woken by it. What to do about it stands in the one table. */
export const WHAT_HAPPENED: Readonly<Record<ProblemCode, string>> = {
  'invalid-json':
    'The body could not be read as JSON, or holds something that JSON readers disagree about. Nothing was changed.',
  'invalid-request':
    'A member, a header or a parameter is missing, unknown, or not of the form it should have. Nothing was changed.',
  'invalid-id': 'The path, or the address of the socket, holds something that cannot be the id of a document.',
  'invalid-cursor':
    'A list was asked to go on from a place that this server never gave away, or that belongs to another list.',
  'cursor-expired':
    'The reader was away for longer than events are kept, or the database was put back since. What was missed can no longer be told one by one. No document lost anything.',
  unauthenticated: 'There was no token, or it is expired, revoked, not valid yet, or signed by somebody else.',
  forbidden: 'The token counts, and its owner may see what this is about. They may not do what was asked for.',
  'not-found':
    'Nothing is there, or nothing that this token may read: both look the same on purpose, so that nobody can find out which documents exist.',
  'method-not-allowed': 'The path exists, and does not take this method.',
  'document-deleted':
    'There was a document under this id, and somebody deleted it. Unless it was purged, who has `admin` can bring it back with its history.',
  'precondition-failed':
    'The request was to create the document only if there is none, and there is one. It was left as it is.',
  'request-timeout': 'The request began to arrive and did not end in time. Nothing was changed.',
  'headers-too-large': 'The request line and the headers are longer than what is read. The connection was closed.',
  'content-too-large': 'The content, or the body around it, is longer than this server takes. Nothing was changed.',
  'unsupported-media-type':
    'The body was sent as a type, a charset or an encoding that this path does not take. It was not read.',
  'kind-mismatch': 'A text was sent to a json document, or an object to a text. Nothing was changed.',
  'content-too-complex': 'The content is nested too deeply, or has too many parts. Nothing was changed.',
  'schema-violation': 'The document has a schema, and what was sent breaks it. Nothing was changed.',
  'invalid-schema':
    'The schema cannot be compiled, refers to something elsewhere, or uses what could make everybody wait.',
  'precondition-required':
    'The write does not say which version it is based on. If it were taken, it could undo what somebody else wrote meanwhile.',
  'already-exists': 'A document with this id is there already. It was left as it is.',
  'version-conflict':
    'Somebody wrote the document after the version this request is based on, and both changes cannot silently stand. Nothing of yours is lost: what you sent is kept with the conflict, where there is one.',
  'weak-etag':
    'The tag in `If-Match` begins with `W/`. Tags of this server never do, so something on the way has changed it, and it proves nothing any more.',
  'unknown-base': 'The version that the write names is not one of this document as it is now.',
  'base-compacted':
    'The version that the write is based on was joined with later ones, so what changed since cannot be worked out.',
  'version-compacted':
    'The version was joined with others, as live typing is after a day. What it led to is all there.',
  'patch-failed':
    'The patch was made for a content that is not that of its base: a test failed, or a place is not there.',
  locked: 'Somebody holds the lock of the document, so that nobody else writes for a while. Reading goes on.',
  'lock-lost':
    'The lock ended before this request came: its time was over, or somebody broke it. Others may have written since.',
  'conflict-closed':
    'Somebody else was faster: the conflict has ended already. Of several resolutions exactly one is applied.',
  'conflict-expired': 'The document was deleted while the conflict was open, so there is nothing left to resolve.',
  'proposal-closed': 'Somebody has accepted or rejected the proposal already.',
  'invalid-resolution': 'What was chosen does not settle every overlap, or names one that is not there.',
  'too-many-proposals': 'Many people, or one program, have proposed resolutions and nobody has decided about them.',
  'too-many-webhooks': 'This principal has as many webhooks as one may have.',
  'webhook-disabled': 'Nothing is posted to this webhook any more, so nothing can be sent to it again.',
  'address-refused':
    'The URL of the webhook leads to a private address. A server that posts there at the word of others could be used against its own network.',
  'transaction-conflict':
    'At least one operation is stale, so none of them was written. What was refused is kept as conflicts.',
  'transaction-closed':
    'The transaction has ended, or is just being committed. What it came to can be read from its documents.',
  'too-many-transactions':
    'This principal has begun many transactions and neither committed them nor rolled them back.',
  'idempotency-key-reused':
    'The key was sent before with another request. Had it been taken, one of the two would have got the answer of the other.',
  'request-in-progress': 'The same request was sent twice at nearly the same time, and the first has no answer yet.',
  'missing-dependencies':
    'A live client sent an edit that builds on one which never arrived. The document was left as it is.',
  'other-history':
    'A live client brought a copy of a document that was deleted, and created anew under the same id since. Merging the two would mix them up.',
  'message-too-large': 'A message on a socket is longer than any honest one. Only its sender was disconnected.',
  'too-many-requests':
    'The token, or the address, has used up what it may ask for in this time, or has as many sockets and streams open as it may. Nothing was changed.',
  'too-slow':
    'More was waiting for this reader than is kept for one, so the connection was closed before others had to wait.',
  'document-damaged': 'What is on the disk for this document is not what was written. Every other document is served.',
  'storage-unavailable':
    'The disk is full, or the database does not answer. The write was not taken, and nothing of it is half done.',
  'keys-unavailable':
    'The token may well be good. Whether it is cannot be checked until the identity provider answers.',
  'shutting-down': 'The server was told to stop, as in every deployment. What was acknowledged is on disk.',
  overloaded:
    'More is waiting than would be answered in time, so this request was turned away at once instead of late.',
  internal: 'Something happened that nobody expected. The log of the server has an error with the id of this request.',
}
