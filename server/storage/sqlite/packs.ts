import type Database from 'better-sqlite3'
import { assertNever } from '../../foundation/assert.ts'
import { trustedDocumentId } from '../../foundation/ids.ts'
import { PINNED } from './history.ts'
import { PACK_COLUMNS } from './log.ts'
import { decodePackFacts, type PackFactsRow, type PackRow } from './rows/pack.ts'

/** What the history of a document asks of the writer. */
export type RewriteOperation =
  | { readonly op: 'label'; readonly document: string; readonly version: number; readonly label: string | null }
  | {
      readonly op: 'rewrite'
      readonly document: string
      readonly replaced: readonly number[]
      /** The versions that stay. */
      readonly kept: readonly number[]
      readonly pack: PackRow
    }
  | {
      readonly op: 'log-progress'
      readonly document: string
      readonly packed: number
      readonly joined: number
      readonly dueAt: number | null
    }

/** Keeps logs small, and names versions. */
export class SqliteRewriter {
  readonly #sql: ReturnType<typeof prepare>

  constructor(connection: Database.Database) {
    this.#sql = prepare(connection)
  }

  /** 1 where it stands, 0 where it does not. */
  run(operation: RewriteOperation): number {
    const document = this.#sql.key.get(operation.document)
    if (document === undefined) return 0
    switch (operation.op) {
      case 'label':
        return this.#label(document, operation)
      case 'rewrite':
        return this.#rewrite(document, operation)
      case 'log-progress':
        this.#sql.upsertProgress.run(document, operation.packed, operation.joined, operation.dueAt)
        return 1
      default:
        return assertNever(operation)
    }
  }

  /** Whether a version was compacted away; what never was is not known here. */
  isGone(id: string, version: number): boolean {
    const document = this.#sql.key.get(id)
    const pack = document === undefined ? undefined : this.#packAt(document, version)
    return pack !== undefined && !this.#versionsOf(id, pack).includes(version)
  }

  #label(document: number, { version, label, document: id }: RewriteOperation & { op: 'label' }): number {
    const pack = this.#packAt(document, version)
    const isKept = pack
      ? this.#versionsOf(id, pack).includes(version)
      : this.#sql.entry.get(document, version) !== undefined
    if (!isKept) return 0
    if (label === null) this.#sql.deleteLabel.run(document, version)
    else this.#sql.upsertLabel.run(document, version, label)
    return 1
  }

  #rewrite(document: number, operation: RewriteOperation & { op: 'rewrite' }): number {
    const { document: id, replaced, kept, pack } = operation
    const range = { id, document, after: pack.first_version - 1, upTo: pack.last_version }
    const packs = this.#packsIn(range)
    const isWhole = packs.every((old) => old.first_version > range.after && old.last_version <= range.upTo)
    const stored = [...this.#sql.versions.all(range), ...packs.flatMap((old) => this.#versionsOf(id, old))]
    const isSame = stored.length === replaced.length && new Set([...stored, ...replaced]).size === replaced.length
    const staying = new Set(kept)
    // What is being erased is not to be carried over into a pack of what came after it.
    if (this.#sql.purge.get(document) !== undefined) return 0
    if (!isWhole || !isSame || this.#sql.pinned.all(range).some((version) => !staying.has(version))) return 0
    this.#sql.deleteEntries.run(range)
    this.#sql.deleteFreshEntries.run(range)
    this.#sql.deletePacks.run(range)
    for (const version of this.#sql.checkpoints.all(range)) {
      if (!staying.has(version)) this.#sql.deleteCheckpoint.run(document, version)
    }
    const { last_version: last, first_version: first, checksum, updates_checksum: updatesChecksum } = pack
    this.#sql.insertPack.run(document, last, first, checksum, updatesChecksum, pack.facts, pack.updates)
    return 1
  }

  #packAt(document: number, version: number): PackFactsRow | undefined {
    return this.#packsIn({ document, after: version - 1, upTo: version })[0]
  }

  /** The packs that hold some version of the range. */
  #packsIn({ document, after, upTo }: RewriteRange): PackFactsRow[] {
    const packs: PackFactsRow[] = []
    for (const pack of this.#sql.packs.iterate(document, after)) {
      if (pack.first_version > upTo) break
      packs.push(pack)
    }
    return packs
  }

  #versionsOf(id: string, pack: PackFactsRow): number[] {
    return decodePackFacts(trustedDocumentId(id), pack).map((row) => row.version)
  }
}

interface RewriteRange {
  readonly document: number
  readonly after: number
  readonly upTo: number
}

function prepare(connection: Database.Database) {
  const inRange = 'document = @document AND version > @after AND version <= @upTo'
  return {
    key: connection.prepare<[id: string], number>('SELECT key FROM documents WHERE id = ?').pluck(),
    purge: connection.prepare<[document: number]>('SELECT 1 FROM purges WHERE document = ?'),
    entry: connection.prepare<[document: number, version: number]>(
      'SELECT 1 FROM single_entries WHERE document = ? AND version = ?',
    ),
    upsertLabel: connection.prepare<[document: number, version: number, label: string]>(
      `INSERT INTO labels (document, version, label) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET label = excluded.label`,
    ),
    deleteLabel: connection.prepare<[document: number, version: number]>(
      'DELETE FROM labels WHERE document = ? AND version = ?',
    ),
    versions: connection.prepare<[RewriteRange], number>(`SELECT version FROM single_entries WHERE ${inRange}`).pluck(),
    packs: connection.prepare<[document: number, after: number], PackFactsRow>(
      `SELECT ${PACK_COLUMNS} FROM packs WHERE document = ? AND last_version > ? ORDER BY last_version`,
    ),
    pinned: connection.prepare<[RewriteRange & { id: string }], number>(PINNED).pluck(),
    deleteEntries: connection.prepare<[RewriteRange]>(`DELETE FROM entries WHERE ${inRange}`),
    deleteFreshEntries: connection.prepare<[RewriteRange]>(`DELETE FROM fresh_entries WHERE ${inRange}`),
    deletePacks: connection.prepare<[RewriteRange]>(
      'DELETE FROM packs WHERE document = @document AND last_version > @after AND last_version <= @upTo',
    ),
    insertPack: connection.prepare<[...numbers: [number, number, number, number, number], Uint8Array, Uint8Array]>(
      `INSERT INTO packs (document, last_version, first_version, checksum, updates_checksum, facts, updates)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    checkpoints: connection.prepare<[RewriteRange], number>(`SELECT version FROM checkpoints WHERE ${inRange}`).pluck(),
    deleteCheckpoint: connection.prepare<[document: number, version: number]>(
      'DELETE FROM checkpoints WHERE document = ? AND version = ?',
    ),
    upsertProgress: connection.prepare<[document: number, packed: number, joined: number, dueAt: number | null]>(
      `INSERT INTO log_progress (document, packed, joined, due_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET packed = max(packed, excluded.packed), joined = max(joined, excluded.joined),
         due_at = excluded.due_at`,
    ),
  }
}
