/** Versions, differences and blame, as the API shows them. */
import { Type } from 'typebox'
import {
  ContentShape,
  CountShape,
  EtagShape,
  LineRangeShape,
  LinesShape,
  listOf,
  NameShape,
  oneOf,
  orNull,
  pageShape,
  PersonShape,
  PointerShape,
  TimeShape,
  ValueShape,
  VersionShape,
} from './values.ts'

const ORIGINS = [
  'create',
  'write',
  'live',
  'merge',
  'resolution',
  'restore',
  'revert',
  'transaction',
  'settings',
  'delete',
]
const facts = {
  version: VersionShape,
  firstVersion: Type.Optional(VersionShape),
  authors: listOf(PersonShape),
  at: TimeShape,
  origin: oneOf(ORIGINS),
  label: orNull(Type.String({ minLength: 1, maxLength: 200 })),
}
export const ListedVersionShape = Type.Object(
  { ...facts, bytes: CountShape },
  { title: 'ListedVersion', description: 'With `firstVersion` it stands for all from there.' },
)
export const PeoplePageShape = pageShape(
  'PeoplePage',
  Type.Object({ sub: PersonShape, name: NameShape }, { title: 'Person' }),
)
export const VersionPageShape = pageShape('VersionPage', ListedVersionShape)
export const WholeVersionShape = Type.Object(
  { ...facts, etag: orNull(EtagShape), content: ContentShape },
  { title: 'Version' },
)

const HunkShape = Type.Object(
  {
    lines: Type.Object({ from: LineRangeShape, to: LineRangeShape }),
    from: LinesShape,
    to: LinesShape,
    authors: listOf(PersonShape),
  },
  { title: 'Hunk' },
)
const PlaceDiffShape = Type.Object(
  {
    pointer: PointerShape,
    elements: Type.Optional(Type.Literal(true)),
    from: ValueShape,
    to: ValueShape,
    authors: listOf(PersonShape),
  },
  { title: 'Change' },
)
export const DiffShape = Type.Union(
  [Type.Object({ hunks: listOf(HunkShape) }), Type.Object({ changes: listOf(PlaceDiffShape) })],
  { title: 'Diff', description: 'Hunks of a text, changes of a json content.' },
)

const blamed = { author: orNull(PersonShape), version: orNull(VersionShape), at: orNull(TimeShape) }
export const BlameShape = Type.Object(
  {
    version: VersionShape,
    blame: listOf(
      Type.Union([
        Type.Object({ lines: LineRangeShape, ...blamed }),
        Type.Object({ pointer: PointerShape, ...blamed }),
      ]),
    ),
    truncated: Type.Boolean(),
  },
  { title: 'Blame' },
)
