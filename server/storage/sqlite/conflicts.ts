import type Database from 'better-sqlite3'
import type { Content } from '../../content/content.ts'
import { invariant } from '../../foundation/assert.ts'
import type { ConflictRecord, ContentHash } from '../../model/conflict.ts'
import type { Act } from '../act.ts'
import type { ConflictWrite } from '../conflicts.ts'
import { notPurged } from './purges.ts'
import { damaged, ERASED_BYTES, packContent, parseStored, pushUndamaged, rowChecksum } from './row.ts'

/** Conflicts one pruning call deletes at most, because each may take contents along. */
const PRUNED_CONFLICTS = 100
/**
 * What is shorter, in bytes of JSON, lies in the row of its conflict: the entry of an index by hash, at a random place,
 * would write a page of four times as much.
 */
const SMALL_CONTENT_BYTES = 1024

/** What of a row of `conflicts` is the conflict itself; the other columns repeat it for queries. */
export interface RecordRow {
  readonly id: string
  readonly checksum: number
  readonly record: string
}
/** The small contents of a conflict, as its row keeps them; null where it has none. */
export interface OwnContentsRow {
  readonly contents: string | null
  readonly contents_checksum: number | null
}
interface ConflictRow extends RecordRow {
  readonly document: string
  readonly kind: string
  readonly status: string
  readonly author: string
  readonly revision: number
  readonly detected_at: number
  readonly closed_at: number | null
}

function encodeConflict(record: ConflictRecord): ConflictRow {
  const json = JSON.stringify(record)
  return {
    id: record.id,
    document: record.document,
    kind: record.kind,
    status: record.state.status,
    author: record.author,
    revision: record.revision,
    detected_at: record.detectedAt,
    closed_at: record.state.status === 'open' ? null : record.state.closedAt,
    checksum: rowChecksum([record.id], json),
    record: json,
  }
}

/** Throws `document-damaged`. */
export function decodeConflict(row: RecordRow): ConflictRecord {
  if (rowChecksum([row.id], row.record) !== row.checksum) throw damaged(`Conflict ${row.id}`)
  return parseStored<ConflictRecord>(row.record)
}

/** The stored contents a conflict refers to, each once. */
function referredContents(record: ConflictRecord): readonly ContentHash[] {
  const sides = [record.base, record.current, record.incoming, ...record.proposals]
  const hashes = sides.map((side) => side.hash).filter((hash) => hash !== null)
  return [...new Set(hashes)]
}

/** The versions a conflict refers to: those of its sides, where a return began, and where pending proposals were made. */
function referredVersions(record: ConflictRecord): readonly number[] {
  const sides = [record.base, record.current, record.incoming].map((side) => side.version ?? 0)
  const proposals = record.proposals.filter((proposal) => proposal.status === 'pending')
  const versions = [...sides, record.live?.since ?? 0, ...proposals.map((proposal) => proposal.baseVersion)]
  return [...new Set(versions)].filter((version) => version > 0)
}

export interface ConflictWriteRow {
  readonly op: 'insert' | 'update'
  readonly row: ConflictRow
  readonly hashes: readonly string[]
  /** Versions of its document that it refers to. */
  readonly versions: readonly number[]
}

/** What an act brings of a content. */
export interface ContentJson {
  readonly hash: string
  readonly json: string
}

export const encodeConflictWrite = (write: ConflictWrite): ConflictWriteRow => ({
  op: write.op,
  row: encodeConflict(write.record),
  hashes: referredContents(write.record),
  versions: referredVersions(write.record),
})

/** The bytes of a long one are not counted. */
const isSmall = ({ json }: ContentJson): boolean =>
  json.length < SMALL_CONTENT_BYTES && Buffer.byteLength(json) < SMALL_CONTENT_BYTES

function ownContentsRow(conflict: string, own: readonly ContentJson[]): OwnContentsRow {
  if (own.length === 0) return { contents: null, contents_checksum: null }
  const contents = `[${own.map(({ hash, json }) => `[${JSON.stringify(hash)},${json}]`).join(',')}]`
  return { contents, contents_checksum: rowChecksum([conflict], contents) }
}

/** Throws `document-damaged`. */
export function ownContents(
  conflict: string,
  row: OwnContentsRow,
): readonly (readonly [hash: string, content: Content])[] {
  if (row.contents === null) return []
  if (rowChecksum([conflict], row.contents) !== row.contents_checksum)
    throw damaged(`A content of conflict ${conflict}`)
  return parseStored<[string, Content][]>(row.contents)
}

/** Null where they are damaged. */
function undamagedContents(conflict: string, row: OwnContentsRow): readonly ContentJson[] | null {
  const found: (readonly ContentJson[])[] = []
  pushUndamaged(found, () =>
    ownContents(conflict, row).map(([hash, content]) => ({ hash, json: JSON.stringify(content) })),
  )
  return found[0] ?? null
}

const without = (hashes: readonly string[], contents: readonly ContentJson[]): string[] =>
  hashes.filter((hash) => !contents.some((content) => content.hash === hash))

/** Throws where no conflict of the act refers to a content, which is a bug of the caller. */
export function encodeContents(contents: Act['contents'], conflicts: readonly ConflictWriteRow[]): ContentJson[] {
  const referred = new Set(conflicts.flatMap((write) => write.hashes))
  return Array.from(contents, ([hash, content]) => {
    invariant(referred.has(hash), 'a conflict of the act refers to each of its contents')
    return { hash, json: JSON.stringify(content) }
  })
}

/** Keeps conflicts and their contents; knows nothing of transactions. */
export class SqliteConflictWriter {
  readonly #sql: ReturnType<typeof prepareWrites>
  readonly #isGone: (document: string, version: number) => boolean

  /** `isGone` says whether a version was compacted away. */
  constructor(connection: Database.Database, isGone: (document: string, version: number) => boolean) {
    this.#sql = prepareWrites(connection)
    this.#isGone = isGone
  }

  /** Whether the stored revision was the one that the write builds on. `brought`: the contents of its act. */
  write(write: ConflictWriteRow, brought: readonly ContentJson[]): boolean {
    const key = write.op === 'insert' ? this.#insert(write, brought) : this.#update(write, brought)
    if (key === null) return false
    return this.#refer(key, write, write.op === 'insert' ? [] : this.#sql.selectConflictVersions.all(key))
  }

  /** Pins the versions that it refers to, and no longer any else of `before`; false where one of them is gone. */
  #refer(key: number, { row, versions }: ConflictWriteRow, before: readonly number[]): boolean {
    const { document } = row
    for (const version of versions) {
      // What it referred to before cannot have gone meanwhile.
      if (before.includes(version)) continue
      // It was worked out from versions that were there then.
      if (this.#isGone(document, version)) return false
      this.#sql.insertConflictVersion.run(document, version, key)
    }
    for (const version of before)
      if (!versions.includes(version)) this.#sql.deleteConflictVersion.run(document, version, key)
    return true
  }

  #insert({ row, hashes }: ConflictWriteRow, brought: readonly ContentJson[]): number {
    const own = brought.filter((content) => isSmall(content) && hashes.includes(content.hash))
    const key = Number(this.#sql.insertConflict.run({ ...row, ...ownContentsRow(row.id, own) }).lastInsertRowid)
    if (own.length < hashes.length) this.#linkOthers(key, without(hashes, own), [], brought)
    return key
  }

  #update({ row, hashes }: ConflictWriteRow, brought: readonly ContentJson[]): number | null {
    const stored = this.#sql.updateConflict.get(row)
    if (stored === undefined) return null
    const { key } = stored
    const linked = this.#sql.selectLinks.all(key)
    const kept = undamagedContents(row.id, stored)
    if (kept === null) {
      // They stay as they are: whoever closes a conflict need not be able to read it.
      const others = hashes.filter((hash) => linked.includes(hash) || brought.some((content) => content.hash === hash))
      this.#linkOthers(key, others, linked, brought)
      return key
    }
    // What is shared already stays so: an answer of before small contents lay with their conflicts names it without one.
    const known = [...linked, ...kept.map(({ hash }) => hash)]
    const added = brought.filter((content) => isSmall(content) && !known.includes(content.hash))
    const own = [...kept, ...added].filter(({ hash }) => hashes.includes(hash))
    if (added.length > 0 || own.length < kept.length)
      this.#sql.setOwnContents.run({ key, ...ownContentsRow(row.id, own) })
    this.#linkOthers(key, without(hashes, own), linked, brought)
    return key
  }

  /** Links a conflict with the contents that it shares with others, and with no longer any else of `before`. */
  #linkOthers(
    key: number,
    others: readonly string[],
    before: readonly string[],
    brought: readonly ContentJson[],
  ): void {
    for (const hash of others) {
      if (before.includes(hash)) continue
      const content = brought.find((one) => one.hash === hash)
      if (content !== undefined) this.#keepOnce(content)
      this.#sql.insertLink.run(hash, key)
    }
    for (const hash of before) if (!others.includes(hash)) this.#unlink(hash, key)
  }

  #keepOnce({ hash, json }: ContentJson): void {
    if (this.#sql.selectContent.get(hash) !== undefined) return
    const packed = packContent([hash], json)
    this.#sql.insertContent.run(hash, packed.checksum, packed.content)
  }

  /** A conflict no longer refers to a content; the last one takes it along. Answers how many bytes went. */
  #unlink(hash: string, conflict: number): number {
    this.#sql.deleteLink.run(hash, conflict)
    return this.#sql.deleteUnlinkedContent.get(hash) ?? 0
  }

  /** Deletes what was closed before `before`, at most a bounded number; answers how many. */
  prune(before: number): number {
    let forgotten = 0
    let bytes = 0
    for (const conflict of this.#sql.selectClosedConflicts.all(before, PRUNED_CONFLICTS)) {
      if (bytes > ERASED_BYTES) break
      bytes += this.forget(conflict)
      forgotten += 1
    }
    return forgotten
  }

  /** Deletes a conflict with the contents that nobody else refers to; answers how many bytes these had. */
  forget(conflict: number): number {
    let bytes = 0
    for (const hash of this.#sql.selectLinks.all(conflict)) bytes += this.#unlink(hash, conflict)
    this.#sql.deleteConflictVersions.run(conflict)
    this.#sql.deleteConflict.run(conflict)
    return bytes
  }
}

function prepareWrites(connection: Database.Database) {
  return {
    insertConflict: connection.prepare<[ConflictRow & OwnContentsRow]>(
      // A key that a purge or a deletion names is given to no other: what is to go, or to expire, is told by keys.
      `INSERT INTO conflicts (key, id, document, kind, status, author, revision, detected_at, closed_at, checksum, record,
         contents, contents_checksum)
       VALUES (1 + max((SELECT coalesce(max(key), 0) FROM conflicts), (SELECT coalesce(max(conflict), 0) FROM purges),
           (SELECT coalesce(max(conflict), 0) FROM expiring)),
         @id, @document, @kind, @status, @author, @revision, @detected_at, @closed_at, @checksum, @record,
         @contents, @contents_checksum)`,
    ),
    updateConflict: connection.prepare<[ConflictRow], OwnContentsRow & { readonly key: number }>(
      `UPDATE conflicts SET status = @status, revision = @revision, closed_at = @closed_at,
         checksum = @checksum, record = @record
       WHERE id = @id AND revision = @revision - 1 AND ${notPurged('conflicts', 'key', 'conflict')}
       RETURNING key, contents, contents_checksum`,
    ),
    setOwnContents: connection.prepare<[OwnContentsRow & { readonly key: number }]>(
      'UPDATE conflicts SET contents = @contents, contents_checksum = @contents_checksum WHERE key = @key',
    ),
    selectClosedConflicts: connection
      .prepare<[before: number, limit: number], number>(
        'SELECT key FROM conflicts WHERE closed_at < ? ORDER BY closed_at LIMIT ?',
      )
      .pluck(),
    insertConflictVersion: connection.prepare<[document: string, version: number, conflict: number]>(
      'INSERT INTO conflict_versions (document, version, conflict) VALUES (?, ?, ?)',
    ),
    selectConflictVersions: connection
      .prepare<[conflict: number], number>('SELECT version FROM conflict_versions WHERE conflict = ?')
      .pluck(),
    deleteConflictVersion: connection.prepare<[document: string, version: number, conflict: number]>(
      'DELETE FROM conflict_versions WHERE document = ? AND version = ? AND conflict = ?',
    ),
    deleteConflictVersions: connection.prepare<[conflict: number]>('DELETE FROM conflict_versions WHERE conflict = ?'),
    deleteConflict: connection.prepare<[conflict: number]>('DELETE FROM conflicts WHERE key = ?'),
    selectContent: connection.prepare<[hash: string]>('SELECT 1 FROM contents WHERE hash = ?'),
    insertContent: connection.prepare<[hash: string, checksum: number, content: Uint8Array]>(
      'INSERT INTO contents (hash, checksum, content) VALUES (?, ?, ?)',
    ),
    deleteUnlinkedContent: connection
      .prepare<[hash: string], number>(
        `DELETE FROM contents WHERE hash = ?
           AND NOT EXISTS (SELECT 1 FROM conflict_contents WHERE conflict_contents.hash = contents.hash)
         RETURNING length(content)`,
      )
      .pluck(),
    selectLinks: connection
      .prepare<[conflict: number], string>('SELECT hash FROM conflict_contents WHERE conflict = ?')
      .pluck(),
    insertLink: connection.prepare<[hash: string, conflict: number]>(
      'INSERT INTO conflict_contents (hash, conflict) VALUES (?, ?)',
    ),
    deleteLink: connection.prepare<[hash: string, conflict: number]>(
      'DELETE FROM conflict_contents WHERE hash = ? AND conflict = ?',
    ),
  }
}
