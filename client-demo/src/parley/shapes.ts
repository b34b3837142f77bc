import {
  boolean,
  either,
  list,
  members,
  nullable,
  number,
  object,
  oneOf,
  string,
  UnexpectedShape,
  type Reader,
} from './readers.ts'
import { CONFLICT_KINDS, CONFLICT_STATUSES, USES } from './types.ts'
import type * as Types from './types.ts'

/** Everything JSON.parse gives is a JSON value; contents are taken as they are. */
export const jsonValue: Reader<Types.JsonValue> = (value) => value as Types.JsonValue
const jsonObject: Reader<Types.JsonObject> = (value, at) => members(value, at) as Types.JsonObject
const content: Reader<Types.Content> = either(string, jsonObject)
const kind = oneOf(['text', 'json'])

const facts = { id: string, kind, version: number, etag: string, root: string, updatedAt: string, updatedBy: string }

export const document: Reader<Types.Document> = object({ ...facts, content, createdAt: string })
export const person: Reader<Types.Person> = object({ sub: string, name: string })

const lockFacts = { owner: string, expiresAt: string, fence: number }
export const lock: Reader<Types.Lock> = object(lockFacts)
export const ownLock: Reader<Types.OwnLock> = object({ ...lockFacts, token: string })
/** `GET …/lock`. */
export const lockState: Reader<{ readonly lock: Types.Lock | null }> = object({ lock: nullable(lock) })

const versionFacts = {
  version: number,
  authors: list(string),
  at: string,
  origin: string,
  label: nullable(string),
}
export const listedVersion: Reader<Types.ListedVersion> = object(versionFacts, { firstVersion: number })

export const listedDocument: Reader<Types.ListedDocument> = object({
  ...facts,
  openConflicts: number,
  updatedByName: nullable(string),
})
/** The bare content of a document, a side or a proposal. */
export const bareContent = content
export const pastVersion: Reader<Types.PastVersion> = object({
  version: number,
  content,
  authors: list(string),
  at: string,
  origin: string,
})
export const writeAnswer: Reader<Types.WriteAnswer> = object({
  id: string,
  version: number,
  etag: string,
  outcome: string,
})

export function pageOf<T>(item: Reader<T>): Reader<Types.Page<T>> {
  const page = object({ items: list(item) }, { nextCursor: string })
  return page
}

const range: Reader<Types.Range> = object({ start: number, end: number })
const presence = object({ present: boolean }, { value: jsonValue })
const value: Reader<Types.Value> = (source, at) => {
  const read = presence(source, at)
  return read.present ? { present: true, value: read.value ?? null } : { present: false }
}

const textPlaceShape = {
  id: string,
  lines: object({ base: range, current: range, incoming: range }, { merged: range }),
}
const jsonPlaceShape = { id: string, pointer: string }
const pointers = object({}, { current: string, merged: string })
const place: Reader<Types.Place> = either(object(textPlaceShape), object(jsonPlaceShape, { pointers }))
const textOverlap: Reader<Types.TextOverlap> = object(
  { ...textPlaceShape, base: string, current: string, incoming: string, authors: list(string) },
  { merged: string },
)
const jsonOverlap: Reader<Types.JsonOverlap> = object(
  { ...jsonPlaceShape, base: value, current: value, incoming: value },
  { merged: value, pointers, elements: boolean },
)

const listedSide: Reader<Types.ListedSide> = object({ version: nullable(number), etag: nullable(string), href: string })
const side: Reader<Types.Side> = object(
  { version: nullable(number), etag: nullable(string), authors: list(string), href: string },
  { content },
)
const resolution: Reader<Types.Resolution> = object({
  use: oneOf(USES),
  by: string,
  at: string,
  version: number,
  comment: nullable(string),
})
export const proposal: Reader<Types.Proposal> = object(
  {
    id: string,
    use: oneOf(USES),
    baseVersion: number,
    by: string,
    at: string,
    comment: nullable(string),
    status: oneOf(['pending', 'accepted', 'rejected']),
  },
  { content, decidedBy: nullable(string), decisionComment: nullable(string) },
)
const violation: Reader<Types.Violation> = object({ pointer: string, message: string })

const listed = {
  id: string,
  kind: oneOf(CONFLICT_KINDS),
  status: oneOf(CONFLICT_STATUSES),
  document: object({ id: string, kind }),
  detectedAt: string,
  closedAt: nullable(string),
  closedBy: nullable(string),
  closedComment: nullable(string),
  base: listedSide,
  current: listedSide,
  incoming: side,
  merged: object({ clean: boolean }, { version: number }),
  overlaps: list(place),
  proposals: list(proposal),
  resolution: nullable(resolution),
}

const sometimes = { waited: boolean }

export const listedConflict: Reader<Types.ListedConflict> = object(listed, sometimes)
const wholeConflictShape = {
  ...listed,
  base: side,
  current: side,
  merged: object({ clean: boolean }, { version: number, content }),
  whitespaceOnly: boolean,
  overlaps: list(either(textOverlap, jsonOverlap)),
  intervening: list(object({ version: number, author: string, at: string })),
  truncated: boolean,
}
const wholeConflict = object(wholeConflictShape, { ...sometimes, violations: list(violation) })
/** Overlaps that were too large to be sent along stand there as places only: then the conflict is a truncated one. */
const conflictOfPlaces = object(
  { ...wholeConflictShape, overlaps: list(place) },
  { ...sometimes, violations: list(violation) },
)
export const conflict: Reader<Types.Conflict> = (source, at) => {
  try {
    return wholeConflict(source, at)
  } catch (error) {
    if (!(error instanceof UnexpectedShape)) throw error
    return { ...conflictOfPlaces(source, at), overlaps: [], truncated: true }
  }
}

/** The answers that close a conflict, and the one that keeps a proposal, told apart by `proposal`. */
export const resolutionAnswer: Reader<Types.ResolutionAnswer> = (source, at) => {
  const read = object({ conflict: listedConflict }, { proposal })(source, at)
  return read.proposal === undefined
    ? { outcome: 'closed', conflict: read.conflict }
    : { outcome: 'proposed', conflict: read.conflict, proposal: read.proposal }
}

/** A conflict of which only part was sent (`Prefer: return=minimal`, a list) is left out rather than refused. */
const conflictIfWhole: Reader<Types.Conflict | undefined> = either(conflict, () => undefined)

const problemMembers = object(
  { code: string, status: number, title: string },
  {
    detail: string,
    retryable: boolean,
    conflict: conflictIfWhole,
    errors: list(object({ message: string }, { overlap: string })),
    violations: list(violation),
    lastVersion: number,
    deletedAt: string,
    deletedBy: string,
    purged: boolean,
    owner: string,
    expiresAt: string,
  },
)
export const problem: Reader<Types.Problem> = (source, at) => {
  const { detail = '', retryable = false, conflict: carried, ...rest } = problemMembers(source, at)
  return { ...rest, detail, retryable, ...(carried === undefined ? {} : { conflict: carried }) }
}

export const event: Reader<Types.ParleyEvent> = object({
  id: string,
  type: string,
  subject: string,
  time: string,
  data: members,
})
