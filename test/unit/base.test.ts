import { describe, expect, it } from 'vitest'
import { baseOf, intentOf, type Base, type IfMatch, type Intent } from '../../server/documents/base.ts'
import type { Head } from '../../server/model/document.ts'
import { formatEtag, versionOfEtag } from '../../server/documents/etag.ts'
import { toIncarnation, toVersion } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { aHead } from '../support/fakeFeed.ts'

const EPOCH = 'epoch2'
/** Lives since version 5, is at 9; an earlier incarnation had 1 to 4. */
const head: Head = aHead('doc', 9, 0, { incarnation: toIncarnation('abc'), firstVersion: toVersion(5) })
const tagOf = (version: number): string => formatEtag(head, EPOCH, toVersion(version))

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
    ['a tag of another incarnation', tags(strong(`abd${EPOCH}-9`)), 'unknown-base'],
    ['a tag of another epoch', tags(strong('abcepoch3-9')), 'unknown-base'],
    ['a tag with a sign', tags(strong(`abc${EPOCH}-+9`)), 'unknown-base'],
    ['a tag with a leading zero', tags(strong(`abc${EPOCH}-09`)), 'unknown-base'],
    ['an empty tag', tags(strong('')), 'unknown-base'],
    ['the current tag, weak', tags(weak(tagOf(9))), 'weak-etag'],
    ['a stale tag, weak', tags(weak(tagOf(6))), 'weak-etag'],
    ['a list with the current tag last', tags(strong(tagOf(6), 'other', tagOf(9))), version(9, true)],
    ['a list of stale tags: the first known', tags(strong('other', tagOf(7), tagOf(6))), version(7, true)],
    ['a weak current tag beside a strong stale one', tags(both(weak(tagOf(9)), strong(tagOf(6)))), version(6, true)],
    ['a weak tag beside an unknown one', tags(both(weak(tagOf(9)), strong('other'))), 'weak-etag'],
    ['a list of unknown tags', tags(strong('other', 'another')), 'unknown-base'],
  ]
  it.each(rows)('%s', (_name, intent, wanted) => {
    expect(outcome(() => baseOf(intent, head, EPOCH))).toEqual(wanted)
  })

  it('[WRITE-1] a refusal names the current version', () => {
    const refusals = ['create', 'unknown', 'weak'].map((what): ParleyError => {
      const intent: Intent =
        what === 'create'
          ? { type: 'create', by: 'if-none-match' }
          : what === 'unknown'
            ? named(4)
            : tags(weak(tagOf(9)))
      try {
        baseOf(intent, head, EPOCH)
      } catch (error) {
        if (error instanceof ParleyError) return error
      }
      throw new Error(`${what} was not refused`)
    })
    for (const refusal of refusals) expect(refusal.headers).toEqual({ etag: `"${tagOf(9)}"` })
    expect(refusals[1]?.extras).toEqual({ current: 9 })
    expect(refusals[2]?.detail).toMatch(/proxy/i)
  })
})

describe('[OPS-7] entity tags', () => {
  it('hold incarnation, epoch and version, and only those of this history are read', () => {
    expect(tagOf(9)).toBe('abcepoch2-9')
    expect(versionOfEtag('abcepoch2-9', head, EPOCH)).toBe(9)
    for (const tag of [
      'abcepoch2-0',
      'abcepoch2-',
      'abcepoch2-9 ',
      'abcepoch2-1e1',
      'abcepoch2-9999999999999999',
      '-9',
    ]) {
      expect(versionOfEtag(tag, head, EPOCH), tag).toBeNull()
    }
  })
})
