import { MARK_LENGTH } from '../foundation/mark.ts'
import { toVersion, type PrincipalId, type Version } from '../foundation/ids.ts'
import { versionMark, type Head } from '../model/document.ts'

/** A version, and the mark that tells it from any other that had its number (`versionMark`). */
export interface NamedVersion {
  readonly version: Version
  readonly mark: string
}

/** The entity tag of the newest version, without quotes. */
export const formatEtag = (head: Head, epoch: string): string =>
  formatEtagOf(head, epoch, { version: head.version, author: head.updatedBy, at: head.updatedAt })

/**
 * The entity tag of a version, without quotes: `<incarnation><epoch><mark>-<version>`. Epoch and mark are there so that
 * no tag of a lost future matches after a restore, or after the database file was put back (SPEC OPS-7).
 */
export const formatEtagOf = (
  { incarnation }: Pick<Head, 'incarnation'>,
  epoch: string,
  entry: { readonly version: Version; readonly author: PrincipalId; readonly at: number },
): string => `${incarnation}${epoch}${versionMark(entry)}-${entry.version}`

/** The version a tag names in this incarnation and epoch; null for a tag of any other history. */
export function versionOfEtag(tag: string, head: Pick<Head, 'incarnation'>, epoch: string): NamedVersion | null {
  const prefix = `${head.incarnation}${epoch}`
  const [, mark = '', digits = ''] = tag.startsWith(prefix) ? (TAG_END.exec(tag.slice(prefix.length)) ?? []) : []
  return digits === '' ? null : { version: toVersion(Number(digits)), mark }
}

const TAG_END = new RegExp(`^([0-9a-z]{${MARK_LENGTH}})-([1-9][0-9]{0,14})$`)
