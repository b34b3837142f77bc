import { expect, it } from 'vitest'
import { toVersion, type Version } from '../../server/foundation/ids.ts'
import { shownOf } from '../../server/sync/shown.ts'

it('[SYNC-2] [LOCK-4] of what is shown together a session gets those after its answer, up to where it is silent', () => {
  const all = [1, 2, 3, 4, 5].map(toVersion)
  for (let from = 0; from <= all.length; from++) {
    for (let to = from; to <= all.length; to++) {
      const versions = all.slice(from, to)
      for (let since = 0; since <= 6; since++) {
        for (const silentAfter of [undefined, 0, 1, 2, 3, 4, 5, 6]) {
          const isDue = (version: Version): boolean => version > since && version <= (silentAfter ?? version)
          const silence = silentAfter === undefined ? undefined : toVersion(silentAfter)
          expect(shownOf({ name: 'entries', since: toVersion(since) }, versions, silence)).toEqual(
            versions.filter(isDue),
          )
        }
      }
    }
  }
})
