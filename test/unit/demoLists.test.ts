import { describe, expect, it } from 'vitest'
import type { Page } from '../../client-demo/src/parley/types.ts'
import { PagedList } from '../../client-demo/src/state/pagedList.ts'
import { VersionList } from '../../client-demo/src/state/versionList.ts'
import { deferred } from '../support/deferred.ts'

const PAGE = 3

/** A server's list of numbers, highest first, by pages; `hold` makes its next answer wait. */
function list(highest: number) {
  const server = { items: Array.from({ length: highest }, (_, n) => highest - n), reads: 0, hold: Promise.resolve() }
  const read = async (cursor?: string): Promise<Page<number>> => {
    server.reads += 1
    const hold = server.hold
    server.hold = Promise.resolve()
    const behind = server.items.filter((item) => cursor === undefined || item < Number(cursor))
    const items = behind.slice(0, PAGE)
    await hold
    return behind.length > PAGE ? { items, nextCursor: String(items.at(-1)) } : { items }
  }
  const pages = new PagedList({ read, isAtOrBehind: (item, last) => item <= last })
  return { server, pages, shown: () => pages.store.value.items }
}

describe('[DEMO-7] a list that is read by pages', () => {
  it('keeps what was asked for when it is read anew, without doubles and gaps, however much came on top', async () => {
    const { server, pages, shown } = list(9)
    await pages.refresh()
    await pages.more()
    expect(shown()).toEqual([9, 8, 7, 6, 5, 4])
    server.items = [14, 13, 12, 11, 10, ...server.items]
    await pages.refresh()
    expect(shown()).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3])
    expect(pages.store.value.hasMore).toBe(true)
  })

  it('shows every row once where a page arrives while the list changes', async () => {
    const { server, pages, shown } = list(7)
    await pages.refresh()
    const slow = deferred()
    server.hold = slow.promise
    const more = pages.more()
    await Promise.resolve()
    server.items = [9, 8, ...server.items]
    const again = pages.refresh()
    slow.resolve()
    await Promise.all([more, again])
    expect(shown()).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1].slice(0, shown().length))
    expect(shown().length).toBeGreaterThanOrEqual(8)
  })

  it('reads the next page once, however often it is asked for before it is there', async () => {
    const { server, pages, shown } = list(9)
    await pages.refresh()
    await Promise.all([pages.more(), pages.more()])
    expect([server.reads, shown().length]).toEqual([2, 6])
  })

  it('drops rows that are gone, and says why it could not be read', async () => {
    const { server, pages, shown } = list(5)
    await pages.refresh()
    await pages.more()
    server.items = [5, 2]
    await pages.refresh()
    expect([shown(), pages.store.value.hasMore]).toEqual([[5, 2], false])
    server.hold = Promise.reject(new Error('offline'))
    await pages.refresh()
    expect(pages.store.value).toMatchObject({ items: [5, 2], problem: { message: 'offline' } })
    await pages.refresh()
    expect(pages.store.value.problem).toBeNull()
  })

  it('[HIST-1] of versions shows one row for those that were joined meanwhile', async () => {
    const row = (version: number, firstVersion?: number) => ({
      version,
      ...(firstVersion === undefined ? {} : { firstVersion }),
      authors: [],
      at: '',
      origin: 'edit',
      label: null,
    })
    const answers: Page<ReturnType<typeof row>>[] = [
      { items: [row(6), row(5)], nextCursor: '5' },
      { items: [row(4), row(3)], nextCursor: '3' },
      { items: [row(7), row(6, 3)], nextCursor: '3' },
    ]
    const versions = new VersionList({
      document: 'd',
      rest: { listVersions: async () => answers.shift() ?? Promise.reject(new Error('nothing more was expected')) },
    })
    versions.refresh()
    await expect.poll(() => versions.store.value.items.length).toBe(2)
    versions.more()
    await expect.poll(() => versions.store.value.items.length).toBe(4)
    versions.refresh()
    await expect.poll(() => versions.store.value.items).toEqual([row(7), row(6, 3)])
    versions.close()
  })
})
