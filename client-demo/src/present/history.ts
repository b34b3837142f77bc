import type { ListedVersion } from '../parley/types.ts'

const ORIGINS: Readonly<Record<string, string>> = {
  create: 'created it',
  write: 'wrote it over REST',
  live: 'typed',
  merge: 'came back with edits, which were merged',
  resolution: 'resolved a conflict',
  restore: 'restored an earlier version',
  revert: 'took changes back',
  transaction: 'wrote it with other documents',
  settings: 'changed its settings',
  delete: 'deleted it',
}

/** What somebody did to make a version. */
export const originWords = (origin: string): string => ORIGINS[origin] ?? origin

/** `v12`, or `v9–v12` where several were joined. */
export const versionWords = ({ version, firstVersion }: Pick<ListedVersion, 'version' | 'firstVersion'>): string =>
  firstVersion === undefined ? `v${version}` : `v${firstVersion}–v${version}`
