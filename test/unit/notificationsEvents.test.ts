import { describe, expect, it } from 'vitest'
import type { ConflictRecord, Proposal } from '../../server/model/conflict.ts'
import {
  toConflictId,
  toIncarnation,
  toPrincipalId,
  toProposalId,
  toSequence,
  toVersion,
} from '../../server/foundation/ids.ts'
import { hashLockToken } from '../../server/model/lockToken.ts'
import { toChangedEvent, toCloudEvent } from '../../server/notifications/envelope.ts'
import { EVENT_TYPES, type NewEvent } from '../../server/model/event.ts'
import {
  conflictDetected,
  conflictDismissed,
  conflictExpired,
  conflictProposed,
  conflictResolved,
  conflictSuperseded,
  documentCreated,
  documentDeleted,
  documentLocked,
  documentUnlocked,
  proposalRejected,
} from '../../server/model/events.ts'
import { cloudEventFaults } from '../support/cloudEvents.ts'
import { aHead, id } from '../support/fakeFeed.ts'

const SECRET = 'what was written'

const proposal: Proposal = {
  id: toProposalId('prp_1'),
  use: 'content',
  hash: 'hash',
  baseVersion: toVersion(5),
  by: toPrincipalId('carol'),
  at: 3,
  comment: SECRET,
  status: 'pending',
  decidedBy: null,
  decidedAt: null,
  decisionComment: null,
}

const record: ConflictRecord = {
  id: toConflictId('cfl_1'),
  kind: 'stale-write',
  document: id('team:notes'),
  documentKind: 'json',
  incarnation: toIncarnation('tag'),
  author: toPrincipalId('bob'),
  detectedAt: 1,
  base: { version: toVersion(3), hash: null },
  current: { version: toVersion(5), hash: null },
  incoming: { version: null, hash: 'hash' },
  places: [
    { id: 'o1', pointer: '/title' },
    {
      id: 'L2',
      lines: { base: { start: 2, end: 3 }, current: { start: 2, end: 3 }, incoming: { start: 2, end: 4 } },
    },
  ],
  clean: false,
  whitespaceOnly: false,
  state: { status: 'open' },
  proposals: [proposal],
  revision: 1,
}

const ended = (status: 'superseded' | 'dismissed' | 'expired'): ConflictRecord => ({
  ...record,
  state: { status, closedAt: 4, closedBy: toPrincipalId('dave'), comment: SECRET },
})

describe('events of conflicts', () => {
  it('[NOTE-1] detected names versions, authors and overlaps, by pointer or id', () => {
    expect(conflictDetected(record)).toEqual({
      type: 'parley.conflict.detected',
      document: 'team:notes',
      data: {
        conflict: 'cfl_1',
        document: 'team:notes',
        kind: 'stale-write',
        baseVersion: 3,
        currentVersion: 5,
        author: 'bob',
        overlaps: ['/title', 'L2'],
        overlapCount: 2,
        href: '/conflicts/cfl_1',
      },
    })
  })

  it('[NOTE-1] an event stays thin however many and long its overlaps are', () => {
    const places = Array.from({ length: 1_000 }, (_, n) => ({ id: `o${n}`, pointer: `/${n}` }))
    const long = { id: 'long', pointer: `/${'x'.repeat(100_000)}` }
    const event = conflictDetected({ ...record, places: [long, ...places] })
    expect(event.data['overlaps']).toEqual(Array.from({ length: 20 }, (_, n) => `/${n}`))
    expect(event.data['overlapCount']).toBe(1_001)
    expect(JSON.stringify(event).length).toBeLessThan(10_000)
  })

  it('[NOTE-1] each outcome has its event, with who brought it about', () => {
    const resolution = {
      use: 'merged',
      by: toPrincipalId('dave'),
      at: 4,
      version: toVersion(6),
      comment: SECRET,
    } as const
    const accepted = { ...proposal, status: 'accepted' } as const
    const rejected = { ...proposal, status: 'rejected', decidedBy: toPrincipalId('dave') } as const
    const resolved: ConflictRecord = { ...record, state: { status: 'resolved', closedAt: 4, resolution } }
    const about = { conflict: 'cfl_1', document: 'team:notes', href: '/conflicts/cfl_1' }
    const events = [
      conflictResolved(resolved),
      conflictResolved({ ...resolved, proposals: [accepted] }),
      conflictProposed(record, proposal),
      proposalRejected(record, rejected),
      conflictSuperseded(ended('superseded')),
      conflictDismissed(ended('dismissed')),
      conflictExpired(ended('expired')),
    ]
    const closing = { ...about, kind: 'stale-write', by: 'dave' }
    expect(events).toEqual([
      {
        type: 'parley.conflict.resolved',
        document: 'team:notes',
        data: { ...closing, use: 'merged', version: 6, proposal: null },
      },
      {
        type: 'parley.conflict.resolved',
        document: 'team:notes',
        data: { ...closing, use: 'merged', version: 6, proposal: 'prp_1' },
      },
      {
        type: 'parley.conflict.proposed',
        document: 'team:notes',
        data: { ...about, proposal: 'prp_1', use: 'content', baseVersion: 5, by: 'carol' },
      },
      {
        type: 'parley.conflict.proposal-rejected',
        document: 'team:notes',
        data: { ...about, proposal: 'prp_1', proposedBy: 'carol', by: 'dave' },
      },
      { type: 'parley.conflict.superseded', document: 'team:notes', data: closing },
      { type: 'parley.conflict.dismissed', document: 'team:notes', data: closing },
      { type: 'parley.conflict.expired', document: 'team:notes', data: closing },
    ])
    expect(JSON.stringify(events)).not.toContain(SECRET)
  })

  it('telling of an end that did not happen is a bug', () => {
    expect(() => conflictSuperseded(record)).toThrow(/Invariant/)
    expect(() => conflictDismissed(ended('expired'))).toThrow(/Invariant/)
    expect(() => conflictResolved(ended('expired'))).toThrow(/Invariant/)
    expect(() => proposalRejected(record, proposal)).toThrow(/Invariant/)
  })
})

describe('the envelope of every event', () => {
  const at = Date.UTC(2026, 10, 22)
  const asCloudEvent = (event: NewEvent) => toCloudEvent({ ...event, sequence: toSequence(7), at }, '/', 'epocha')

  it('[NOTE-1] is valid by the official JSON schema of CloudEvents', () => {
    const resolution = {
      use: 'merged',
      by: toPrincipalId('dave'),
      at: 4,
      version: toVersion(6),
      comment: null,
    } as const
    const head = aHead('a', 7, at)
    const tokenHash = hashLockToken('1-token')
    const lapsed = {
      name: 'lapsed',
      fence: 1,
      owner: toPrincipalId('dave'),
      tokenHash,
      ttlMs: 1,
      expiresAt: at,
    } as const
    const events = [
      conflictDetected(record),
      conflictProposed(record, proposal),
      proposalRejected(record, { ...proposal, status: 'rejected', decidedBy: toPrincipalId('dave') }),
      conflictResolved({ ...record, state: { status: 'resolved', closedAt: 4, resolution } }),
      conflictSuperseded(ended('superseded')),
      conflictDismissed(ended('dismissed')),
      conflictExpired(ended('expired')),
      documentCreated(head),
      documentDeleted(head),
      documentLocked(head.id, lapsed),
      documentUnlocked(head.id, lapsed, 'expired', null),
    ]
    const all = [...events.map(asCloudEvent), toChangedEvent(head, 'https://parley.test', 'a-cursor')]
    for (const event of all) expect(cloudEventFaults(structuredClone(event)), event.type).toEqual([])
    expect(new Set(all.map((event) => event.type))).toEqual(new Set<string>(EVENT_TYPES))
  })

  it('a schema that finds no fault in anything would prove nothing', () => {
    const good = asCloudEvent(documentCreated(aHead('a', 7, at)))
    for (const bad of [
      { ...good, id: '' },
      { ...good, source: 'a b' },
      { ...good, specversion: '0.3' },
      { ...good, type: undefined },
      { ...good, time: 'today' },
      { ...good, subject: 7 },
      { ...good, dataVersion: 'x' },
    ]) {
      expect(cloudEventFaults(JSON.parse(JSON.stringify(bad)))).not.toEqual([])
    }
  })
})

describe('events of documents', () => {
  it('[NOTE-1] created and deleted tell the version and who did it', () => {
    const data = { document: 'a', kind: 'text', version: 7, by: 'erin', href: '/documents/a' }
    const head = aHead('a', 7, 1_000, { updatedBy: toPrincipalId('erin') })
    expect(documentCreated(head)).toEqual({ type: 'parley.document.created', document: 'a', data })
    expect(documentDeleted(head)).toEqual({ type: 'parley.document.deleted', document: 'a', data })
  })
})
