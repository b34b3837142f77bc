import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { toVersion, type Version } from '../../server/foundation/ids.ts'
import { Broadcast, partOf, type ShownEntries } from '../../server/sync/broadcast.ts'
import { SeenVersions } from '../../server/sync/seenVersions.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'
import { typedBy } from '../support/sessionScene.ts'

const entry = (n: number) => ({ version: toVersion(n + 2), update: typedBy(7, n) })

/** Entries come every millisecond, and to show some takes as long as is said. Answers when which were shown. */
async function shownAt(count: number, showingMs: number) {
  const environment = new ManualEnvironment(0)
  const shown: { readonly ms: number; readonly versions: Version[]; readonly text: string }[] = []
  const doc = new Y.Doc()
  const broadcast = new Broadcast(environment, ({ entries, messages }) => {
    for (const { update } of messages) Y.applyUpdate(doc, update)
    const versions = entries.map(({ version }) => version)
    shown.push({ ms: environment.monotonicMs(), versions, text: doc.getText('content').toString() })
    environment.jump(showingMs)
  })
  for (let n = 0; n < count; n++) {
    broadcast.add(entry(n))
    await settled()
    await environment.advance(1)
  }
  await environment.advance(1_000)
  return shown
}

describe('what is committed', () => {
  it.each([0, 0.1, 0.7])('[SYNC-2] is shown at once in a room where that takes %s ms', async (showingMs) => {
    const shown = await shownAt(20, showingMs)
    expect(shown.map(({ versions }) => versions)).toEqual(Array.from({ length: 20 }, (_, n) => [toVersion(n + 2)]))
  })

  it.each([
    [2, 14],
    [200, 50],
  ])('[SYNC-2] where showing it takes %s ms is gathered for %s, and nothing is left out', async (showingMs, gapMs) => {
    const shown = await shownAt(100, showingMs)
    const gaps = shown.slice(1).map(({ ms }, n) => ms - (shown[n]?.ms ?? 0) - showingMs)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(gapMs)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(gapMs + 1)
    expect(shown.flatMap(({ versions }) => versions)).toEqual(Array.from({ length: 100 }, (_, n) => toVersion(n + 2)))
    expect(shown.at(-1)?.text).toBe('x'.repeat(100))
  })

  it('[SYNC-2] and comes while others are told is gathered as well', async () => {
    const environment = new ManualEnvironment(0)
    const shownMs: number[] = []
    const broadcast = new Broadcast(environment, ({ entries }) => {
      environment.jump(4)
      shownMs.push(environment.monotonicMs())
      if (shownMs.length < 4) broadcast.add(entry(entries.length + shownMs.length))
    })
    broadcast.add(entry(0))
    await environment.advance(1_000)
    expect(shownMs).toEqual([4, 36, 68, 100])
  })

  it('[SYNC-2] is one message for up to 256 entries of one turn', async () => {
    const shown: number[][] = []
    const show = ({ entries, messages }: ShownEntries): void => void shown.push([entries.length, messages.length])
    const broadcast = new Broadcast(new ManualEnvironment(0), show)
    for (let n = 0; n < 300; n++) broadcast.add(entry(n))
    await settled()
    expect(shown).toEqual([
      [256, 1],
      [44, 1],
    ])
  })

  it('[LOCK-4] is shown in part where a session may not see the rest', () => {
    const three = [entry(0), entry(1), entry(2)]
    const whole: ShownEntries = { entries: three, messages: [] }
    const part = partOf(whole, [toVersion(2), toVersion(3)])
    const doc = new Y.Doc()
    for (const { update } of part.messages) Y.applyUpdate(doc, update)
    expect(doc.getText('content').toString()).toBe('xx')
    expect(partOf(whole, [toVersion(2), toVersion(3), toVersion(4)])).toBe(whole)
  })

  it('[CONF-6] counts as seen or not the same, whether it is sent together or one by one', () => {
    const versions = [2, 3, 4, 5].map(toVersion)
    for (let mask = 0; mask < 16; mask++) {
      const own = new Set(versions.filter((_, n) => (mask >> n) & 1))
      const start = SeenVersions.upTo(toVersion(1))
      const together = start.allSent(versions, own, 10)
      let single = start
      for (const version of versions) single = single.sent(version, own.has(version), 10)
      expect(together).toEqual(single)
      expect(together.knowledge()).toEqual(single.knowledge())
      expect([together.seenUpTo, together.unseenSinceMs]).toEqual([single.seenUpTo, single.unseenSinceMs])
    }
  })
})
