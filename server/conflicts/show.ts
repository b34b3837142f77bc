import type { Content, Kind, Violation } from '../content/content.ts'
import { effectPointers } from '../content/effect.ts'
import { contentBytes } from '../content/equal.ts'
import type { LiveSides } from '../content/liveMerge.ts'
import { merge, type Merge, type Sides } from '../content/merge.ts'
import { differInBlanksOnly } from '../content/overlap.ts'
import { formatEtagOf } from '../documents/etag.ts'
import { contentAt } from '../documents/past.ts'
import { toTimestamp } from '../foundation/environment.ts'
import { whenKnown } from '../foundation/known.ts'
import { NO_VERSION, type PrincipalId, type ProposalId, type Version } from '../foundation/ids.ts'
import { ParleyError } from '../foundation/problems.ts'
import type { ConflictRecord, LiveFacts, Proposal, SideRef } from '../model/conflict.ts'
import type { VersionFacts } from '../storage/history.ts'
import type { EntryEffect } from '../storage/log.ts'
import type { StorageView } from '../storage/view.ts'
import { overlapsOf } from './concurrentEdit.ts'
import { type History, historyAtHand, readHistory } from './history.ts'
import { showOverlaps } from './showOverlaps.ts'

/** SPEC CONF-4: a content past this is left out of the answer; its href leads to it. */
const CONTENT_CAP_BYTES = 1024 * 1024
/** Contents of proposals in one answer, newest first: there may be hundreds of proposals. */
const PROPOSALS_CAP_BYTES = 4 * CONTENT_CAP_BYTES
/** Entries listed as `intervening`: the newest so many; a person reads no more. */
const MAX_INTERVENING = 500
/** Their pointers together; older entries are listed without. A key may be as long as a content. */
const MAX_POINTER_CHARACTERS = 256 * 1024

export interface ShownSide {
  version: number | null
  etag: string | null
  /** Left out of lists, which read no history, but for those of incoming. */
  authors: string[] | undefined
  content: Content | undefined
  href: string | null
}

/** Also of a conflict that one may not read (SPEC CONF-5). */
export const conflictNotFound = (): ParleyError =>
  new ParleyError('not-found', 'There is no such conflict that you may read.')

/** A conflict as the API shows it (SPEC `Conflict`); members without a value are not sent. */
export interface ShownConflict {
  id: string | null
  kind: string
  status: string
  document: { id: string; href: string; kind: Kind }
  detectedAt: string
  waited: true | undefined
  closedAt: string | null
  closedBy: string | null
  closedComment: string | null
  violations: readonly Violation[] | undefined
  base: ShownSide
  current: ShownSide
  incoming: ShownSide
  merged: { clean: boolean; version: Version | undefined; content: Content | undefined }
  /** The sides differ in nothing but line ends and blanks at the ends of lines. */
  whitespaceOnly: boolean
  overlaps: object[]
  intervening: object[]
  proposals: ShownProposal[]
  resolution: object | null
  truncated: boolean
}

/** The same without what only the log tells. */
export type OutlinedConflict = Omit<ShownConflict, 'intervening'> & { intervening: undefined }

export type ShownProposal = Omit<Proposal, 'hash' | 'at' | 'decidedAt'> & {
  at: string
  decidedAt: string | null
  content?: Content
}

export interface ShowOptions {
  /** False leaves the contents of sides, merge and proposals out (`Prefer: return=minimal`). */
  readonly contents: boolean
  /** Who asks, where it is not the author of the conflict: what takes long to work out waits in their line (SPEC OPS-8). */
  readonly by?: PrincipalId
  /** What is at hand already, so that it is neither read nor merged again; `entries` as in a `RefusedWrite`. */
  readonly known?: { readonly sides: Sides; readonly merged: Merge; readonly entries?: readonly EntryEffect[] | null }
  /** The content of a proposal that is not in storage yet. */
  readonly proposed?: { readonly id: ProposalId; readonly content: Content } | null
  /** False for a conflict that was not kept: its id and hrefs, which would lead nowhere, are null (CONF-9). */
  readonly stored?: boolean
  /** What was refused, where it is not stored. */
  readonly incoming?: Content
  /** Stands before its links (SPEC API-7). */
  readonly linkBase?: string
  /** Aborted when nobody waits for it any more. */
  readonly gone?: AbortSignal | null
}

/** The content of one side. Throws `document-damaged` where it is gone. */
export function sideContent(storage: StorageView, record: ConflictRecord, side: SideRef): Promise<Content> {
  if (side.hash !== null) return storedContent(storage, record, side.hash)
  return contentAt(storage, record.document, record.documentKind, side.version)
}

/** A content that is kept with the conflict: what was refused, or what a proposal would make. */
export async function storedContent(storage: StorageView, record: ConflictRecord, hash: string): Promise<Content> {
  const content = await storage.content(record.id, hash)
  if (content === null) throw new ParleyError('document-damaged', `A content of conflict ${record.id} is missing.`)
  return content
}

/**
 * Works a conflict out in full: contents, overlaps with their authors, merge. Answers at once where all is at hand.
 * Throws `document-damaged` where something of it is gone.
 */
export function showConflict(
  storage: StorageView,
  record: ConflictRecord,
  options: ShowOptions,
): ShownConflict | Promise<ShownConflict> {
  const { known } = options
  return known?.entries && record.proposals.length === 0
    ? showAtHand(storage, record, { ...known, entries: known.entries }, options)
    : storage.read((view) => showRead(view, record, options))
}

/** What is asked about a version to name it. */
type NamingFacts = Pick<VersionFacts, 'version' | 'author' | 'at'>

/** Of the versions of the sides; null of one that is none, or is gone. */
interface SideFacts {
  readonly base: NamingFacts | null
  readonly current: NamingFacts | null
  readonly incoming: NamingFacts | null
}

/** All that a conflict is shown with besides its record. */
interface ShownWith {
  readonly sides: Sides
  readonly merged: Merge
  readonly history: History
  readonly facts: SideFacts
  /** Null where they are too large. */
  readonly overlaps: object[] | null
  readonly proposals: ShownProposals
}

function showAtHand(
  storage: StorageView,
  record: ConflictRecord,
  { sides, merged, entries }: NonNullable<ShowOptions['known']> & { readonly entries: readonly EntryEffect[] },
  options: ShowOptions,
): ShownConflict | Promise<ShownConflict> {
  const history = historyAtHand(record, entries)
  const factsOf = ({ version }: SideRef): NamingFacts | null =>
    entries.find((entry) => entry.version === version) ?? null
  const facts = { base: factsOf(record.base), current: factsOf(record.current), incoming: factsOf(record.incoming) }
  const { gone = null } = options
  return whenKnown(showOverlaps(storage, record, { sides, merged, history, gone }), (overlaps) => {
    const found = { sides, merged, history, facts, overlaps, proposals: NO_PROPOSALS }
    return showFound(storage.epoch, record, found, options)
  })
}

async function showRead(storage: StorageView, record: ConflictRecord, options: ShowOptions): Promise<ShownConflict> {
  const { sides, merged } = options.known ?? (await workOut(storage, record, options.incoming))
  const history = await readHistory(storage, record)
  const overlaps = await showOverlaps(storage, record, { sides, merged, history, gone: options.gone ?? null })
  const proposals = await showProposals(storage, record, options)
  const facts = await readFacts(storage, record)
  return showFound(storage.epoch, record, { sides, merged, history, overlaps, proposals, facts }, options)
}

function showFound(epoch: string, record: ConflictRecord, found: ShownWith, options: ShowOptions): ShownConflict {
  const { sides, merged, history, overlaps, proposals, facts } = found
  const intervening = showEntries(history.between.slice(-MAX_INTERVENING), record.documentKind)
  const shown = outline(epoch, record, facts, options, intervening)
  const content = (whole: Content): Content | undefined => (options.contents && fits(whole) ? whole : undefined)
  shown.violations = record.violations
  shown.base.authors = history.baseAuthors
  shown.base.content = content(sides.base)
  shown.current.authors = currentAuthors(record, history)
  shown.current.content = content(sides.current)
  shown.incoming.content = content(sides.incoming)
  shown.merged.clean = merged.clean
  shown.merged.content = content(merged.content)
  shown.whitespaceOnly = differInBlanksOnly(merged.overlaps)
  if (overlaps !== null) shown.overlaps = overlaps
  shown.proposals = proposals.shown
  shown.truncated =
    proposals.truncated || overlaps === null || ![sides.base, sides.current, sides.incoming, merged.content].every(fits)
  return shown
}

/** Whether a content is sent along. A unit of UTF-16 is three bytes at the most. */
const fits = (content: Content): boolean =>
  (typeof content === 'string' && content.length * 3 <= CONTENT_CAP_BYTES) || contentBytes(content) <= CONTENT_CAP_BYTES

/** The contents of a conflict, and what is found in them. `incoming`: where it is not stored. */
export async function workOut(
  storage: StorageView,
  record: ConflictRecord,
  incoming?: Content,
): Promise<{ sides: Sides; merged: Merge }> {
  if (record.live) return workOutLive(storage, record, record.live)
  const sides = await sidesOf(storage, record, incoming)
  const isInvalid = record.kind === 'invalid-merge'
  return { sides, merged: isInvalid ? standing(sides) : merge(sides.base, sides.current, sides.incoming) }
}

/** The version of the document that holds its `merged`; null for a refused write, whose merge is nowhere. */
export const holdingVersion = ({ kind, live, incoming }: ConflictRecord): Version | null =>
  live?.seen ?? (kind === 'invalid-merge' ? incoming.version : null)

/** Of an `invalid-merge`: its incoming side stands already, and breaks the schema. */
export const standing = ({ incoming }: Sides): Merge => ({ clean: false, content: incoming, overlaps: [] })

async function workOutLive(
  storage: StorageView,
  record: ConflictRecord,
  live: LiveFacts,
): Promise<{ sides: Sides; merged: Merge }> {
  const sides = await liveSides(storage, record, live)
  return { sides, merged: { clean: false, content: sides.seen, overlaps: overlapsOf(sides, live) } }
}

/** The contents of the three sides. `wanted`: the incoming one, where that is not stored. */
export async function sidesOf(storage: StorageView, record: ConflictRecord, wanted?: Content): Promise<Sides> {
  return storage.read(async (view) => {
    const base = await sideContent(view, record, record.base)
    const current = await sideContent(view, record, record.current)
    const incoming = wanted ?? (await sideContent(view, record, record.incoming))
    return { base, current, incoming }
  })
}

/** The contents around a live merge, to look for its places where they were looked for last. */
export async function liveSides(storage: StorageView, record: ConflictRecord, live: LiveFacts): Promise<LiveSides> {
  return storage.read(async (view) => {
    const at = (version: Version): Promise<Content> => contentAt(view, record.document, record.documentKind, version)
    const merged = await at(live.merged)
    return { ...(await sidesOf(view, record)), merged, seen: live.seen === live.merged ? merged : await at(live.seen) }
  })
}

/** A conflict as lists show it: without contents, the values of overlaps, and what only the log tells (SPEC CONF-4). */
export async function outlineOf(
  storage: StorageView,
  record: ConflictRecord,
  options: OutlineOptions,
): Promise<OutlinedConflict> {
  return outline(storage.epoch, record, await readFacts(storage, record), options, undefined)
}

async function readFacts(storage: StorageView, record: ConflictRecord): Promise<SideFacts> {
  const factsOf = async ({ version }: SideRef): Promise<NamingFacts | null> =>
    version === null || version === NO_VERSION ? null : storage.versionAt(record.document, version)
  return {
    base: await factsOf(record.base),
    current: await factsOf(record.current),
    incoming: await factsOf(record.incoming),
  }
}

type OutlineOptions = Pick<ShowOptions, 'stored' | 'linkBase'>

function outline<Told extends object[] | undefined>(
  epoch: string,
  record: ConflictRecord,
  facts: SideFacts,
  options: OutlineOptions,
  intervening: Told,
): Omit<ShownConflict, 'intervening'> & { intervening: Told } {
  const { stored = true, linkBase = '' } = options
  const { state } = record
  const isOpen = state.status === 'open'
  const side = (name: 'base' | 'current' | 'incoming'): ShownSide => {
    const { version } = record[name]
    const named = facts[name]
    return {
      version,
      etag: named?.version === version ? formatEtagOf(record, epoch, named) : null,
      href: stored ? `${linkBase}/conflicts/${record.id}/${name}` : null,
      authors: name === 'incoming' ? [record.author] : undefined,
      content: undefined,
    }
  }
  return {
    id: stored ? record.id : null,
    kind: record.kind,
    status: state.status,
    document: { id: record.document, href: `${linkBase}/documents/${record.document}`, kind: record.documentKind },
    detectedAt: toTimestamp(record.detectedAt),
    waited: record.live?.waited,
    closedAt: isOpen ? null : toTimestamp(state.closedAt),
    closedBy: isOpen ? null : state.status === 'resolved' ? state.resolution.by : state.closedBy,
    closedComment: isOpen ? null : state.status === 'resolved' ? state.resolution.comment : state.comment,
    base: side('base'),
    current: side('current'),
    incoming: side('incoming'),
    merged: { clean: record.clean, version: holdingVersion(record) ?? undefined, content: undefined },
    whitespaceOnly: record.whitespaceOnly,
    overlaps: record.places.map((place) => ({ ...place })),
    proposals: record.proposals.map(showProposal),
    resolution: state.status === 'resolved' ? { ...state.resolution, at: toTimestamp(state.resolution.at) } : null,
    truncated: false,
    violations: undefined,
    intervening,
  }
}

/** A proposal without its content. */
function showProposal(proposal: Proposal): ShownProposal {
  const { hash: _, at, decidedAt, ...rest } = proposal
  return { ...rest, at: toTimestamp(at), decidedAt: decidedAt === null ? null : toTimestamp(decidedAt) }
}

/** A proposal that was just made. */
export function showNewProposal(record: ConflictRecord, made: NonNullable<ShowOptions['proposed']>, contents: boolean) {
  const proposal = record.proposals.find(({ id }) => id === made.id)
  const { content } = made
  const fits = contents && contentBytes(content) <= CONTENT_CAP_BYTES
  return proposal && { ...showProposal(proposal), ...(fits ? { content } : {}) }
}

interface ShownProposals {
  shown: ShownProposal[]
  truncated: boolean
}
const NO_PROPOSALS: ShownProposals = { shown: [], truncated: false }

/** The proposals with their contents, as far as these fit. */
async function showProposals(
  storage: StorageView,
  record: ConflictRecord,
  { contents, proposed }: ShowOptions,
): Promise<ShownProposals> {
  const shown: ShownProposal[] = []
  let roomBytes = contents ? PROPOSALS_CAP_BYTES : 0
  let truncated = false
  for (const proposal of record.proposals.toReversed()) {
    const known = proposed?.id === proposal.id ? proposed.content : null
    const content = roomBytes > 0 ? (known ?? (await storedContent(storage, record, proposal.hash))) : null
    const bytes = content === null ? 0 : contentBytes(content)
    const fits = content !== null && bytes <= Math.min(roomBytes, CONTENT_CAP_BYTES)
    if (fits) roomBytes -= bytes
    else truncated ||= contents
    shown.unshift({ ...showProposal(proposal), ...(fits ? { content } : {}) })
  }
  return { shown, truncated }
}

/** Entries of a json document are listed with the pointers they touched, the newest first, as far as these fit. */
function showEntries(entries: readonly EntryEffect[], kind: Kind): object[] {
  const shown: object[] = []
  let roomCharacters = MAX_POINTER_CHARACTERS
  for (const { version, author, at, effect } of entries.toReversed()) {
    const pointers = kind === 'json' && roomCharacters > 0 ? effectPointers(effect) : null
    for (const pointer of pointers ?? []) roomCharacters -= pointer.length
    const isShown = pointers !== null && roomCharacters >= 0
    shown.unshift({ version, author, at: toTimestamp(at), ...(isShown ? { pointers } : {}) })
  }
  return shown
}

/**
 * Who wrote what the returning client did not know; for a refused write that is everything in between. Base and current
 * of an `invalid-merge` are one.
 */
function currentAuthors(record: ConflictRecord, { baseAuthors, between }: History): string[] {
  if (record.kind === 'invalid-merge') return baseAuthors
  const own = new Set(record.live?.own)
  return distinctAuthors(between.filter((entry) => !own.has(entry.version)))
}

function distinctAuthors(entries: readonly EntryEffect[]): string[] {
  return [...new Set(entries.map((entry) => entry.author))]
}
