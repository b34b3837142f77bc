/** Conflicts as the API shows them (SPEC "Conflicts"). */
import { Type, type TSchema } from 'typebox'
import { CONFLICT_KINDS, CONFLICT_STATUSES, RESOLUTION_USES } from '../../model/conflict.ts'
import {
  CommentShape,
  ConflictIdShape,
  ContentShape,
  DocumentIdShape,
  EtagShape,
  LineRangeShape,
  LinesShape,
  listOf,
  oneOf,
  orNull,
  pageShape,
  PathShape,
  PersonShape,
  PointerShape,
  ProposalIdShape,
  TimeShape,
  ValueShape,
  VersionShape,
  ViolationShape,
} from './values.ts'

const UseShape = oneOf(RESOLUTION_USES)

const sideShape = (title: string, members: Record<string, TSchema>): TSchema =>
  Type.Object(
    {
      version: orNull(VersionShape),
      etag: orNull(EtagShape),
      ...members,
      href: orNull(PathShape),
    },
    { title, description: '`href` leads to the bare content, also where that is too large to be shown here.' },
  )
const SideShape = sideShape('Side', { authors: listOf(PersonShape), content: Type.Optional(ContentShape) })
const OutlinedSideShape = sideShape('OutlinedSide', { authors: Type.Optional(listOf(PersonShape)) })

const PlaceIdShape = Type.String({
  maxLength: 64 * 1024 * 1024,
  description: 'What `choices` names it by: `L2`, `L2-4`, `L2+` for lines, `P` and the pointer for json.',
})
const linesMembers = {
  base: LineRangeShape,
  current: LineRangeShape,
  incoming: LineRangeShape,
  merged: Type.Optional(LineRangeShape),
}
const TextOverlapShape = Type.Object(
  {
    id: PlaceIdShape,
    lines: Type.Object(linesMembers),
    base: LinesShape,
    current: LinesShape,
    incoming: LinesShape,
    merged: Type.Optional(LinesShape),
    authors: listOf(PersonShape),
  },
  {
    title: 'TextOverlap',
    description: 'Lines that both sides changed differently; `merged` is what a live merge made of them.',
  },
)
const BlamedValueShape = Type.Object(
  {
    present: Type.Boolean(),
    value: Type.Optional(Type.Unsafe({})),
    version: Type.Optional(VersionShape),
    author: Type.Optional(PersonShape),
    at: Type.Optional(TimeShape),
  },
  { title: 'BlamedValue', description: 'What stands at a pointer, and who last put it there.' },
)
const JsonOverlapShape = Type.Object(
  {
    id: PlaceIdShape,
    pointer: PointerShape,
    pointers: Type.Object({ current: PointerShape, incoming: PointerShape, merged: Type.Optional(PointerShape) }),
    elements: Type.Optional(Type.Literal(true, { description: 'The values are lists of elements of an array.' })),
    base: ValueShape,
    current: BlamedValueShape,
    incoming: ValueShape,
    merged: Type.Optional(ValueShape),
  },
  { title: 'JsonOverlap', description: 'A place that both sides changed differently.' },
)
const PlaceShape = Type.Union(
  [
    Type.Object({ id: PlaceIdShape, pointer: PointerShape }),
    Type.Object({ id: PlaceIdShape, lines: Type.Object(linesMembers) }),
  ],
  { title: 'Place', description: 'Where an overlap is, without what stands there.' },
)
const OverlapShape = Type.Union([TextOverlapShape, JsonOverlapShape, PlaceShape], {
  title: 'Overlap',
  description: 'Without its values where these do not fit: `GET /conflicts/{conflict}/overlaps` has them all.',
})
export const OverlapPageShape = pageShape('OverlapPage', OverlapShape)

export const ProposalShape = Type.Object(
  {
    id: ProposalIdShape,
    use: UseShape,
    content: Type.Optional(ContentShape),
    baseVersion: VersionShape,
    by: PersonShape,
    at: TimeShape,
    comment: CommentShape,
    status: oneOf(['pending', 'accepted', 'rejected']),
    decidedBy: orNull(PersonShape),
    decidedAt: orNull(TimeShape),
    decisionComment: CommentShape,
  },
  { title: 'Proposal', description: 'A resolution by somebody who may write and not resolve.' },
)
const ResolutionShape = Type.Object(
  { use: UseShape, by: PersonShape, at: TimeShape, version: VersionShape, comment: CommentShape },
  { title: 'Resolution' },
)
const InterveningShape = Type.Object(
  { version: VersionShape, author: PersonShape, at: TimeShape, pointers: Type.Optional(listOf(PointerShape)) },
  { title: 'Intervening', description: 'A version between base and current.' },
)

const head = {
  id: orNull(ConflictIdShape),
  kind: oneOf(CONFLICT_KINDS),
  status: oneOf(CONFLICT_STATUSES),
  document: Type.Object({ id: DocumentIdShape, href: PathShape, kind: oneOf(['text', 'json']) }),
  detectedAt: TimeShape,
  waited: Type.Optional(
    Type.Literal(true, {
      description: 'Of a `concurrent-edit`: the edits had to wait here, mostly for a lock.',
    }),
  ),
  closedAt: orNull(TimeShape),
  closedBy: orNull(PersonShape),
  closedComment: CommentShape,
}
const tail = {
  whitespaceOnly: Type.Boolean({ description: 'The sides differ in nothing but blanks at the ends of lines.' }),
  proposals: listOf(ProposalShape, { maxItems: 200 }),
  resolution: orNull(ResolutionShape),
  truncated: Type.Boolean({ description: 'Something is left out because of its size; every `href` leads to it.' }),
}
export const ConflictShape = Type.Object(
  {
    ...head,
    violations: Type.Optional(listOf(ViolationShape, { maxItems: 1_000 })),
    base: SideShape,
    current: SideShape,
    incoming: SideShape,
    merged: Type.Object(
      {
        clean: Type.Boolean(),
        version: Type.Optional(VersionShape),
        content: Type.Optional(ContentShape),
      },
      { description: 'Every change of both sides that overlaps none; overlaps stand as in current.' },
    ),
    ...tail,
    overlaps: listOf(OverlapShape),
    intervening: listOf(InterveningShape, { maxItems: 500 }),
  },
  {
    title: 'Conflict',
    description: 'What a change started from (base), what the document is (current), what the change wants (incoming).',
  },
)
export const OutlinedConflictShape = Type.Object(
  {
    ...head,
    base: OutlinedSideShape,
    current: OutlinedSideShape,
    incoming: OutlinedSideShape,
    merged: Type.Object({ clean: Type.Boolean(), version: Type.Optional(VersionShape) }),
    ...tail,
    overlaps: listOf(PlaceShape, { maxItems: 1_000 }),
  },
  { title: 'OutlinedConflict', description: 'A conflict without contents, values, and what only the log tells.' },
)
export const ConflictPageShape = pageShape('ConflictPage', OutlinedConflictShape)

export const ResolvedShape = Type.Object(
  {
    conflict: ConflictShape,
    document: Type.Object({ id: DocumentIdShape, version: VersionShape, etag: EtagShape }),
  },
  { title: 'Resolved' },
)
export const ProposedShape = Type.Object({ conflict: ConflictShape, proposal: ProposalShape }, { title: 'Proposed' })

/** What of a resolution cannot be applied. */
export const ResolutionErrorShape = Type.Object(
  { overlap: PlaceIdShape, message: Type.String({ maxLength: 4_096 }) },
  { title: 'ResolutionError' },
)
