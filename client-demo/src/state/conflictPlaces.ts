import type { Rest } from '../parley/rest.ts'
import type { Content, ListedConflict, Place, Range } from '../parley/types.ts'
import { movedLines } from './movedLines.ts'

/** Where a conflict is in the document as it is now. */
export type ConflictPlace = { readonly conflict: ListedConflict } & (
  | { readonly lines: Range }
  | { readonly pointer: string }
)

/** As many conflicts as are marked in a text, newest first: a person looks at no more at once. */
const MOST_MARKED = 20

/** What this asks the server. */
type PlacesRest = Pick<Rest, 'getVersion' | 'getConflict'>

/** Finds the places of open conflicts in a text as it is now, from where they were in the version that was looked at. */
export class ConflictPlaces {
  readonly #rest: PlacesRest
  readonly #documentId: string
  /** By version; those that open conflicts name, bounded by how many are marked. */
  #contents = new Map<number, Promise<Content | null>>()

  constructor(rest: PlacesRest, documentId: string) {
    this.#rest = rest
    this.#documentId = documentId
  }

  /** `textNow`: asked for once everything is read, because somebody types meanwhile. Null for json. */
  async find(conflicts: readonly ListedConflict[], textNow: (() => string) | null): Promise<readonly ConflictPlace[]> {
    const marked = conflicts.slice(0, MOST_MARKED)
    const needed = new Set(marked.map(lookedAt).filter((version) => version !== null))
    this.#contents = new Map([...this.#contents].filter(([version]) => needed.has(version)))
    const found = await Promise.all(marked.map((conflict) => this.#placesOf(conflict, textNow)))
    return found.flatMap((places) => places())
  }

  async #placesOf(conflict: ListedConflict, textNow: (() => string) | null): Promise<() => readonly ConflictPlace[]> {
    if (conflict.kind === 'invalid-merge') return this.#violated(conflict)
    const version = lookedAt(conflict)
    if (textNow === null || version === null) {
      return () => conflict.overlaps.flatMap((place) => jsonPlace(conflict, place))
    }
    const then = await this.#contentOf(version)
    return () => conflict.overlaps.flatMap((place) => textPlace(conflict, place, then, textNow()))
  }

  async #violated(conflict: ListedConflict): Promise<() => readonly ConflictPlace[]> {
    const whole = await this.#rest.getConflict(conflict.id).catch(() => null)
    return () => (whole?.violations ?? []).map(({ pointer }) => ({ conflict, pointer }))
  }

  /** Null where that version is not kept by itself. */
  #contentOf(version: number): Promise<Content | null> {
    const known = this.#contents.get(version)
    if (known !== undefined) return known
    const reading = this.#rest.getVersion(this.#documentId, version).then(
      ({ content }) => content,
      () => null,
    )
    this.#contents.set(version, reading)
    return reading
  }
}

/** The version in which the places of a conflict are where it says. */
const lookedAt = ({ kind, merged, current }: ListedConflict): number | null =>
  kind === 'concurrent-edit' ? (merged.version ?? null) : current.version

function textPlace(
  conflict: ListedConflict,
  place: Place,
  then: Content | null,
  now: string,
): readonly ConflictPlace[] {
  if ('pointer' in place || typeof then !== 'string') return []
  return [{ conflict, lines: movedLines(then, now, place.lines.merged ?? place.lines.current) }]
}

const jsonPlace = (conflict: ListedConflict, place: Place): readonly ConflictPlace[] =>
  'pointer' in place ? [{ conflict, pointer: place.pointers?.merged ?? place.pointers?.current ?? place.pointer }] : []
