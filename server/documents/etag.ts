import { toVersion, type Version } from '../foundation/ids.ts'
import type { Head } from '../model/document.ts'

/**
 * The entity tag of a version, without quotes: `<incarnation><epoch>-<version>`. The epoch of the database is
 * part of the incarnation's tag, so that no tag of a lost future matches after a restore (SPEC OPS-7).
 */
export function formatEtag(head: Pick<Head, 'incarnation'>, epoch: string, version: Version): string {
  return `${head.incarnation}${epoch}-${version}`
}

/** The version a tag names in this incarnation and epoch; null for a tag of any other history. */
export function versionOfEtag(tag: string, head: Pick<Head, 'incarnation'>, epoch: string): Version | null {
  const prefix = `${head.incarnation}${epoch}-`
  const digits = tag.startsWith(prefix) ? tag.slice(prefix.length) : ''
  return /^[1-9][0-9]{0,14}$/.test(digits) ? toVersion(Number(digits)) : null
}
