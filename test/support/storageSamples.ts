import type { Content } from '../../server/content/content.ts'
import type { StoredAnswer } from '../../server/foundation/answer.ts'
import {
  type DocumentId,
  nextVersion,
  NO_VERSION,
  toConflictId,
  toIncarnation,
  toPrincipalId,
  toProposalId,
  toVersion,
  trustedDocumentId,
  type Version,
} from '../../server/foundation/ids.ts'
import type { ConflictRecord, ConflictState } from '../../server/model/conflict.ts'
import type { Head } from '../../server/model/document.ts'
import type { NewEvent } from '../../server/model/event.ts'
import type { Act, ActResult, Append } from '../../server/storage/act.ts'
import type { Entry } from '../../server/storage/log.ts'
import type { Storage } from '../../server/storage/storage.ts'

/** A moment to count from, in milliseconds. */
export const NOON = Date.UTC(2026, 10, 22, 12)
export const alice = toPrincipalId('alice')
export const bob = toPrincipalId('bob')
/** Before the first version, and after every one. */
export const NOTHING = NO_VERSION
export const EVERYTHING = toVersion(1_000_000)

let made = 0
/** An id no other test uses, so that tests can share one storage. */
export function newDocumentId(name = 'doc'): DocumentId {
  made += 1
  return trustedDocumentId(`t${made}:${name}`)
}

let conflictsMade = 0
/** Ordered like ulids: later ones are greater. */
export function newConflictId(): ConflictRecord['id'] {
  conflictsMade += 1
  return toConflictId(`cfl_${String(conflictsMade).padStart(26, '0')}`)
}

export function newHead(id: DocumentId, changes: Partial<Head> = {}): Head {
  return {
    id,
    incarnation: toIncarnation('abcd2345'),
    kind: 'text',
    root: 'content',
    conflictPolicy: 'manual',
    schema: null,
    version: toVersion(1),
    firstVersion: toVersion(1),
    createdAt: NOON,
    createdBy: alice,
    updatedAt: NOON,
    updatedBy: alice,
    deletedAt: null,
    ...changes,
  }
}

/** The head after one more entry by bob. */
export const after = (head: Head, changes: Partial<Head> = {}): Head => ({
  ...head,
  version: nextVersion(head.version),
  updatedAt: head.updatedAt + 1000,
  updatedBy: bob,
  ...changes,
})

export function appendTo(head: Head, entry: Partial<Entry> = {}, checkpoint?: Content): Append {
  const version: Version = head.version
  return {
    head,
    expected: version === 1 ? NO_VERSION : toVersion(version - 1),
    entry: {
      version,
      author: head.updatedBy,
      at: head.updatedAt,
      origin: version === head.firstVersion ? 'create' : 'live',
      update: Uint8Array.of(1, 2, version),
      effect: { kind: 'text', delta: [version, `+${version}`] },
      ...entry,
    },
    ...(checkpoint === undefined ? {} : { checkpoint }),
  }
}

export const newAct = (parts: Partial<Act> = {}): Act => ({
  at: NOON,
  appends: [],
  conflicts: [],
  contents: new Map(),
  events: [],
  ...parts,
})

export const actOf = (...appends: Append[]): Act => newAct({ appends })

export const newEvent = (document: DocumentId, changes: Partial<NewEvent> = {}): NewEvent => ({
  type: 'parley.document.created',
  document,
  data: { version: 1, by: alice },
  ...changes,
})

export const closed = {
  status: 'dismissed',
  closedAt: NOON + 5000,
  closedBy: bob,
  comment: 'never mind',
} satisfies ConflictState

export function newConflict(document: DocumentId, changes: Partial<ConflictRecord> = {}): ConflictRecord {
  return {
    id: newConflictId(),
    kind: 'stale-write',
    document,
    documentKind: 'text',
    incarnation: toIncarnation('abcd2345'),
    author: alice,
    detectedAt: NOON,
    base: { version: toVersion(1), hash: null },
    current: { version: toVersion(2), hash: null },
    incoming: { version: null, hash: `incoming of ${document}` },
    places: [],
    clean: false,
    whitespaceOnly: false,
    state: { status: 'open' },
    proposals: [],
    revision: 1,
    ...changes,
  }
}

/** A pending one by bob, on version 2. */
export const newProposal = (hash: string): ConflictRecord['proposals'][number] => ({
  id: toProposalId('prp_1'),
  use: 'content',
  hash,
  baseVersion: toVersion(2),
  by: bob,
  at: NOON,
  comment: null,
  status: 'pending',
  decidedBy: null,
  decidedAt: null,
  decisionComment: null,
})

/** An answer of alice that is kept for a day from noon on. */
export const newAnswer = (changes: Partial<StoredAnswer> = {}): StoredAnswer => ({
  principal: alice,
  key: 'a key',
  fingerprint: 'of the request',
  documents: [],
  at: NOON,
  expiresAt: NOON + 24 * 3600 * 1000,
  status: 200,
  headers: { etag: '"abcd2345-1"', link: '</conflicts/x>; rel="conflict"' },
  body: '{"é":"\\u0000 \ud83d\ude00"}',
  ...changes,
})

/** A content that lies with its conflict, and one that is kept once for all that refer to it. */
export const smallContent = (hash: string): string => `content ${hash}`
export const largeContent = (hash: string): string => `content ${hash}`.padEnd(2_000, '.')

/** An act that opens conflicts, with the contents that they refer to. */
export const opening = (...records: ConflictRecord[]): Act => openingWith(largeContent, ...records)

export function openingWith(contentOf: (hash: string) => Content, ...records: ConflictRecord[]): Act {
  const hashes = records.flatMap((record) => [record.base, record.current, record.incoming, ...record.proposals])
  const contents = new Map<string, Content>()
  for (const { hash } of hashes) if (hash !== null) contents.set(hash, contentOf(hash))
  return newAct({ conflicts: records.map((record) => ({ op: 'insert', record })), contents })
}

export const changing = (record: ConflictRecord): Act => newAct({ conflicts: [{ op: 'update', record }] })

/** Commits acts one after the other, each of which must stand. */
export async function commitAll(storage: Storage, ...acts: Act[]): Promise<ActResult[]> {
  const results = await Promise.all(acts.map((act) => storage.commit(act)))
  const refused = results.find((result) => result.status !== 'committed')
  if (refused) throw new Error(`A sample act was refused: ${JSON.stringify(refused)}`)
  return results
}

/** A text document with `versions` entries; answers its head. */
export async function createDocument(storage: Storage, id: DocumentId, versions = 1): Promise<Head> {
  let head = newHead(id)
  const appends = [appendTo(head)]
  while (head.version < versions) {
    head = after(head)
    appends.push(appendTo(head))
  }
  await commitAll(storage, actOf(...appends))
  return head
}
