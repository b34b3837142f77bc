/** The process of `SuspendedPages`: it suspends itself, so that it is known between which two steps. */
import { isDeepStrictEqual } from 'node:util'
import { CONTENT, Page, plain } from './linePage.ts'
import type { PagesOrder, Told, Waking } from './suspendedPages.ts'

interface Sleeper {
  readonly page: Page
  readonly waking: Waking
  hasEdited: boolean
}

/** For its page to answer what it was asked with what it read. */
const THINKS_MS = 100

const sleepers = new Map<number, Sleeper>()

process.on('message', (order: PagesOrder) => {
  switch (order.do) {
    case 'open':
      sleepers.set(order.page, { page: new Page(order.options), waking: order.waking, hasEdited: false })
      return
    case 'tell': {
      const sleeper = sleepers.get(order.page)
      if (!sleeper) return
      const { page, hasEdited } = sleeper
      return tell({ page: order.page, isSynced: page.isSynced(), hasEdited, snapshot: page.snapshot() })
    }
    case 'suspend':
      return tell({ page: -1, isSynced: true, hasEdited: false, snapshot: new Uint8Array() }, suspend)
    case 'close':
      sleepers.get(order.page)?.page.destroy()
      sleepers.delete(order.page)
  }
})

function tell(told: Told, then: () => void = () => undefined): void {
  process.send?.(told, undefined, undefined, then)
}

function suspend(): void {
  process.kill(process.pid, 'SIGSTOP')
  // Nothing was read between the two lines.
  for (const sleeper of sleepers.values()) wake(sleeper)
}

function wake(sleeper: Sleeper): void {
  const { page, waking } = sleeper
  const edit = (): void => {
    page.edit(waking.kind, waking.place, 'alice')
    sleeper.hasEdited = true
  }
  if (waking.first === 'edits') return edit()
  if (!waking.isWrittenTo) return void setTimeout(edit, THINKS_MS)
  const read = (): void => {
    if (isDeepStrictEqual(plain(page.doc, waking.kind), CONTENT[waking.kind])) return
    page.doc.off('update', read)
    setTimeout(edit, THINKS_MS)
  }
  page.doc.on('update', read)
}
