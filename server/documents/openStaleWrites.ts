import { cacheOf } from '../foundation/cache.ts'
import type { DocumentId, PrincipalId } from '../foundation/ids.ts'
import { MAX_OPEN_CONFLICTS, type ConflictRecord } from '../model/conflict.ts'

/** About as many authors as write at the same time; most of them have no open conflicts. */
const MAX_LISTS = 10_000
/** Records with their places and proposals, some 100 bytes each. */
const MAX_PARTS = 100_000

/** Newest first. */
interface OpenList {
  readonly records: readonly ConflictRecord[]
  readonly parts: number
}

/**
 * The open stale writes of authors, newest first, as every act leaves them that was handed over, on disk or not: each write
 * asks for those of its author. There is one way in which they change, an act of the committer, which tells of each; what
 * is not known is read, and what an act changed that did not come about is forgotten.
 */
export class OpenStaleWrites {
  readonly #lists = cacheOf<string, OpenList>(MAX_LISTS, { together: MAX_PARTS, of: ({ parts }) => parts })
  /** How often anything was changed or forgotten: what is read meanwhile may be either. */
  #changes = 0

  /** Of one author; `read` answers them as they are applied, where they are not known. */
  of(
    document: DocumentId,
    author: PrincipalId,
    read: () => Promise<readonly ConflictRecord[]>,
  ): readonly ConflictRecord[] | Promise<readonly ConflictRecord[]> {
    const key = keyOf(document, author)
    return this.#lists.get(key)?.records ?? this.#read(key, read)
  }

  async #read(key: string, read: () => Promise<readonly ConflictRecord[]>): Promise<readonly ConflictRecord[]> {
    const changes = this.#changes
    const list = await read()
    if (changes === this.#changes) this.#lists.set(key, openList(list))
    return list
  }

  /** An act was handed over that leaves a conflict like this. */
  apply(record: ConflictRecord): void {
    this.#changes += 1
    const key = keyOf(record.document, record.author)
    const list = this.#lists.get(key)
    if (list === undefined || record.kind !== 'stale-write') return
    const known = list.records.find(({ id }) => id === record.id)
    if (known !== undefined && known.revision >= record.revision) return
    if (record.state.status === 'open') this.#lists.set(key, withRecord(list, record, known))
    // As many as are read at once: there may be more.
    else if (list.records.length >= MAX_OPEN_CONFLICTS) this.#lists.delete(key)
    else this.#lists.set(key, openList(list.records.filter(({ id }) => id !== record.id)))
  }

  /** What was told of the document may not have come about, or was erased. */
  forget(document: DocumentId): void {
    this.#changes += 1
    for (const key of this.#lists.keys()) if (key.startsWith(keyOf(document, ''))) this.#lists.delete(key)
  }
}

/** No id of a document holds a blank. */
const keyOf = (document: DocumentId, author: string): string => `${document} ${author}`

function withRecord(list: OpenList, record: ConflictRecord, known: ConflictRecord | undefined): OpenList {
  const [newest] = list.records
  // As nearly all are: the others are neither looked at nor counted again.
  if (newest === undefined || newest.id < record.id)
    return { records: [record, ...list.records], parts: list.parts + partsOf(record) }
  const others = list.records.filter((one) => one !== known)
  const older = others.findIndex(({ id }) => id < record.id)
  return openList(others.toSpliced(older === -1 ? others.length : older, 0, record))
}

const openList = (records: readonly ConflictRecord[]): OpenList => ({
  records,
  parts: records.reduce((parts, record) => parts + partsOf(record), 1),
})

const partsOf = ({ places, proposals }: ConflictRecord): number => 1 + places.length + proposals.length
