import type { StorageView } from '../../server/storage/view.ts'
import { afterEach, describe, expect, it } from 'vitest'
import type { Content } from '../../server/content/content.ts'
import { CHECKPOINT_INTERVAL } from '../../server/documents/startingPoints.ts'
import { contentAt } from '../../server/documents/past.ts'
import { toVersion } from '../../server/foundation/ids.ts'
import { ALICE, codeOf, type DocumentCore, id, startCore } from '../support/documentCore.ts'

let core: DocumentCore
afterEach(() => core.stop())

const nothingElse = { at: 0, conflicts: [], contents: new Map(), events: [] }

/** Writes contents one after the other; answers them by version. */
async function history(
  first: Content,
  next: (n: number, before: Content) => Content,
  count: number,
): Promise<Content[]> {
  core = await startCore()
  await core.create('doc', first)
  const { replica } = await core.lease('doc')
  const contents: Content[] = ['', first]
  const commits: Promise<unknown>[] = []
  while (contents.length <= count) {
    const content = next(contents.length, contents.at(-1) ?? '')
    const staged = replica.stageContent(content, { author: ALICE, at: 0, origin: 'write' })
    if (!staged) throw new Error(`version ${contents.length} changes nothing`)
    commits.push(core.committer.commit([staged], nothingElse))
    contents.push(content)
  }
  await Promise.all(commits)
  return contents
}

describe('the content at a version', () => {
  it('[DOC-9] of a text is what it was at its version, before and after a checkpoint', async () => {
    const parts = ['word ', '😀', 'line\n', '👩‍👩‍👧', 'e\u0301', '\r\n']
    const contents = await history(
      'start\n',
      (n, before) => {
        const points = [...String(before)]
        // Inserts, deletes and replaces at places that wander, without ever cutting a character.
        points.splice((n * 7919) % (points.length + 1), n % 3, parts[n % parts.length] ?? '', String(n))
        return points.join('')
      },
      CHECKPOINT_INTERVAL + 20,
    )
    for (let version = 1; version < contents.length; version++) {
      // All around both checkpoints, and some in between.
      const isNear = version < 20 || Math.abs(version - CHECKPOINT_INTERVAL) < 20
      if (!isNear && version % 17 !== 0) continue
      expect(await contentAt(core.storage, id('doc'), 'text', toVersion(version))).toBe(contents[version])
    }
  })

  it('[DOC-9] of a text that is emptied, filled and left alone in between', async () => {
    core = await startCore()
    await core.create('doc', 'one')
    await core.write('doc', '', { version: 1 })
    await core.lifecycle.changeSettings(
      { document: id('doc'), author: ALICE, intent: { type: 'unconditional' } },
      { conflictPolicy: 'merge' },
    )
    await core.write('doc', 'two', { version: 3 })
    const contents = await Promise.all(
      [0, 1, 2, 3, 4].map((version) => contentAt(core.storage, id('doc'), 'text', toVersion(version))),
    )
    expect(contents).toEqual(['', 'one', '', '', 'two'])
  })

  it('[DOC-9] of a json document is what it was, at every version', async () => {
    const contents = await history(
      { list: [0], o: {} },
      (n) => ({ list: [n, n - 1, { n }], o: { [`k${n % 7}`]: n } }),
      60,
    )
    for (let version = 1; version < contents.length; version++) {
      expect(await contentAt(core.storage, id('doc'), 'json', toVersion(version))).toEqual(contents[version])
    }
  })

  it('[OPS-6] is damage where the log has a hole', async () => {
    await history('one', (n) => `text ${n}`, 4)
    const effects = core.storage.effects.bind(core.storage)
    const holed: DocumentCore['storage'] = Object.assign(Object.create(core.storage) as DocumentCore['storage'], {
      read: <T>(question: (view: StorageView) => Promise<T>) => question(holed),
      effects: async (...query: Parameters<typeof effects>) =>
        (await effects(...query)).filter((one) => one.version !== 3),
    })
    expect(await codeOf(contentAt(holed, id('doc'), 'text', toVersion(4)))).toBe('document-damaged')
    expect(await contentAt(holed, id('doc'), 'text', toVersion(2))).toBe('text 2')
    expect(await codeOf(contentAt(holed, id('nothing'), 'text', toVersion(1)))).toBe('document-damaged')
  })
})
