import { describe, expect, it } from 'vitest'
import { baseOf, intentOf, type Base, type IfMatch, type Intent } from '../../server/documents/base.ts'
import type { Head } from '../../server/model/document.ts'
import { formatEtag, formatEtagOf, versionOfEtag } from '../../server/documents/etag.ts'
import { toIncarnation, toPrincipalId, toVersion } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { aHead } from '../support/fakeFeed.ts'

const EPOCH = 'epoch2'
/** Lives since version 5, is at 9; an earlier incarnation had 1 to 4. */
const head: Head = aHead('doc', 9, 0, { incarnation: toIncarnation('abc'), firstVersion: toVersion(5) })
/** Versions up to 8 are by `vera`, each at its number; 7 became a part of 8. */
const factsOf = (version: number) => ({ version: toVersion(version), author: toPrincipalId('vera'), at: version })
const storage: Parameters<typeof baseOf>[2] = {
  epoch: EPOCH,
  versionAt: async (_, version) => ({
    ...factsOf(version === 7 ? 8 : version),
    firstVersion: version,
    origin: 'write',
    bytes: 1,
    label: null,
  }),
}
const tagOf = (version: number): string =>
  version === 9 ? formatEtag(head, EPOCH) : formatEtagOf(head, EPOCH, factsOf(version))
/** Of another version with that number. */
const lostTag = (version: number): string => formatEtagOf(head, EPOCH, { ...factsOf(version), at: 77 })

const strong = (...tags: string[]): IfMatch => ({ kind: 'tags', tags: tags.map((tag) => ({ weak: false, tag })) })
const weak = (...tags: string[]): IfMatch => ({ kind: 'tags', tags: tags.map((tag) => ({ weak: true, tag })) })
const both = (...parts: IfMatch[]): IfMatch => ({
  kind: 'tags',
  tags: parts.flatMap((part) => (part.kind === 'tags' ? part.tags : [])),
})
const ANY: IfMatch = { kind: 'any' }

/** The answer, or the code it is refused with. */
function outcome<T>(task: () => T): T | string {
  try {
    return task()
  } catch (error) {
    if (error instanceof ParleyError) return error.code
    throw error
  }
}

describe('[WRITE-1] [DOC-4] what a request asks for: If-Match × If-None-Match × baseVersion', () => {
  const create = (by: 'if-none-match' | 'base-version'): Intent => ({ type: 'create', by })
  const tags = (match: IfMatch): Intent => ({ type: 'tags', tags: match.kind === 'tags' ? match.tags : [] })
  const version = (n: number): Intent => ({ type: 'version', version: toVersion(n) })
  const REFUSED = 'invalid-request'
  const rows: readonly [IfMatch | null, boolean, number | null, Intent | string][] = [
    [null, false, null, { type: 'none' }],
    [null, false, 0, create('base-version')],
    [null, false, 7, version(7)],
    [null, true, null, create('if-none-match')],
    [null, true, 0, create('if-none-match')],
    [null, true, 7, REFUSED],
    [ANY, false, null, { type: 'unconditional' }],
    [ANY, false, 0, REFUSED],
    [ANY, false, 7, REFUSED],
    [ANY, true, null, REFUSED],
    [ANY, true, 0, REFUSED],
    [ANY, true, 7, REFUSED],
    [strong('x-7'), false, null, tags(strong('x-7'))],
    [strong('x-7'), false, 0, REFUSED],
    [strong('x-7'), false, 7, tags(strong('x-7'))],
    [strong('x-17'), false, 7, REFUSED],
    [strong('x-70'), false, 7, REFUSED],
    [strong('7'), false, 7, REFUSED],
    [strong('x-7'), true, null, REFUSED],
    [strong('x-7'), true, 0, REFUSED],
    [strong('x-7'), true, 7, REFUSED],
    [weak('x-7'), false, null, tags(weak('x-7'))],
    [weak('x-7'), false, 7, tags(weak('x-7'))],
    [weak('x-7'), false, 8, REFUSED],
    // Both have to hold: of a list only the tags count that the version agrees with.
    [strong('x-6', 'x-7'), false, 7, tags(strong('x-7'))],
    [strong('x-6', 'x-7'), false, null, tags(strong('x-6', 'x-7'))],
  ]
  it.each(rows)('%j, If-None-Match: * %j, baseVersion %j', (ifMatch, ifNoneMatch, baseVersion, wanted) => {
    expect(outcome(() => intentOf({ ifMatch, ifNoneMatch, baseVersion }))).toEqual(wanted)
  })
})

describe('[WRITE-1] the base of a write to a living document', () => {
  const version = (n: number, strict: boolean): Base => ({ type: 'version', version: toVersion(n), strict })
  const named = (n: number): Intent => ({ type: 'version', version: toVersion(n) })
  const tags = (match: IfMatch): Intent => ({ type: 'tags', tags: match.kind === 'tags' ? match.tags : [] })
  const rows: readonly [string, Intent, Base | string][] = [
    ['none', { type: 'none' }, 'precondition-required'],
    ['unconditional', { type: 'unconditional' }, { type: 'unconditional' }],
    ['create by If-None-Match', { type: 'create', by: 'if-none-match' }, 'precondition-failed'],
    ['create by baseVersion 0', { type: 'create', by: 'base-version' }, version(0, false)],
    ['the current version', named(9), version(9, false)],
    ['the first version', named(5), version(5, false)],
    ['a version of an earlier incarnation', named(4), 'unknown-base'],
    ['a version to come', named(10), 'unknown-base'],
    ['the current tag', tags(strong(tagOf(9))), version(9, true)],
    ['a stale tag', tags(strong(tagOf(6))), version(6, true)],
    ['a tag of a version before this incarnation', tags(strong(tagOf(4))), 'unknown-base'],
    ['a tag of a version to come', tags(strong(tagOf(10))), 'unknown-base'],
    ['a tag of another incarnation', tags(strong(tagOf(9).replace('abc', 'abd'))), 'unknown-base'],
    ['a tag of another epoch', tags(strong(tagOf(9).replace('epoch2', 'epoch3'))), 'unknown-base'],
    ['a tag with a sign', tags(strong(tagOf(9).replace('-', '-+'))), 'unknown-base'],
    ['a tag with a leading zero', tags(strong(tagOf(9).replace('-', '-0'))), 'unknown-base'],
    ['an empty tag', tags(strong('')), 'unknown-base'],
    ['the current tag, weak', tags(weak(tagOf(9))), 'weak-etag'],
    ['a stale tag, weak', tags(weak(tagOf(6))), 'weak-etag'],
    ['a list with the current tag last', tags(strong(tagOf(6), 'other', tagOf(9))), version(9, true)],
    ['a list of stale tags: the first known', tags(strong('other', tagOf(7), tagOf(6))), version(7, true)],
    ['a weak current tag beside a strong stale one', tags(both(weak(tagOf(9)), strong(tagOf(6)))), version(6, true)],
    ['a weak tag beside an unknown one', tags(both(weak(tagOf(9)), strong('other'))), 'weak-etag'],
    ['a list of unknown tags', tags(strong('other', 'another')), 'unknown-base'],
    ['[OPS-7] the tag of another version with the current number', tags(strong(lostTag(9))), 'unknown-base'],
    ['[OPS-7] the tag of another version with an older number', tags(strong(lostTag(6))), 'unknown-base'],
    ['[OPS-7] a list of lost tags and a stale one', tags(strong(lostTag(9), lostTag(6), tagOf(6))), version(6, true)],
    ['[OPS-7] a lost tag beside a weak one', tags(both(strong(lostTag(6)), weak(tagOf(9)))), 'weak-etag'],
    ['a version that became part of another, whatever its mark', tags(strong(lostTag(7))), version(7, true)],
  ]
  it.each(rows)('%s', async (_name, intent, wanted) => {
    const base = (async () => baseOf(intent, head, storage))()
    expect(
      await base.catch((error: unknown) =>
        outcome(() => {
          throw error
        }),
      ),
    ).toEqual(wanted)
  })

  it('[WRITE-1] a refusal names the current version', async () => {
    const refusing = ['create', 'unknown', 'weak'].map(async (what): Promise<ParleyError> => {
      const intent: Intent =
        what === 'create'
          ? { type: 'create', by: 'if-none-match' }
          : what === 'unknown'
            ? named(4)
            : tags(weak(tagOf(9)))
      try {
        await baseOf(intent, head, storage)
      } catch (error) {
        if (error instanceof ParleyError) return error
      }
      throw new Error(`${what} was not refused`)
    })
    const refusals = await Promise.all(refusing)
    for (const refusal of refusals) expect(refusal.headers).toEqual({ etag: `"${tagOf(9)}"` })
    expect(refusals[1]?.extras).toEqual({ current: 9 })
    expect(refusals[2]?.detail).toMatch(/proxy/i)
  })
})

describe('[OPS-7] entity tags', () => {
  it('hold incarnation, epoch and version, and only those of this history are read', () => {
    expect(tagOf(9)).toMatch(/^abcepoch2[0-9a-z]{7}-9$/)
    expect(versionOfEtag('abcepoch20abc123-9', head, EPOCH)).toEqual({ version: 9, mark: '0abc123' })
    for (const tag of [
      'abcepoch20abc123-0',
      'abcepoch20abc123-',
      'abcepoch20abc123-9 ',
      'abcepoch20abc123-1e1',
      'abcepoch20abc123-9999999999999999',
      'abcepoch20abc12-9',
      'abcepoch20abc1234-9',
      'abcepoch2-9',
      '-9',
    ]) {
      expect(versionOfEtag(tag, head, EPOCH), tag).toBeNull()
    }
  })
})
