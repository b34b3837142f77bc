import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import type { ConflictServer } from './conflicts.ts'
import { FaultyLine } from './faultyLine.ts'

/**
 * How a line, or who sits at its end, fails. `sees`: alice reads meanwhile what others write; `early`: her edits arrive
 * while it lasts.
 */
const FAILURES = [
  { how: 'closed', sees: false },
  { how: 'reset', sees: false },
  { how: 'black hole that ends', sees: false },
  { how: 'black hole that ends in a reset', sees: false },
  { how: 'nothing arrives here', sees: false },
  { how: 'nothing arrives there', sees: true },
  { how: 'slow', sees: false },
  { how: 'hanging page', sees: false },
  { how: 'given up by the client', sees: false },
  { how: 'reload with stored edits', sees: false },
  { how: 'reload that reads stored edits later', sees: false },
] as const
export type Failure = (typeof FAILURES)[number]

const WRITERS = ['REST', 'live', 'transaction', 'nobody'] as const
const KINDS = ['text', 'json'] as const
const PLACES = ['same', 'other', 'both delete', 'delete against edit'] as const

export interface Cell {
  readonly failure: Failure
  readonly lengthMs: number
  readonly writer: (typeof WRITERS)[number]
  readonly kind: (typeof KINDS)[number]
  readonly place: (typeof PLACES)[number]
}

export const nameOf = ({ failure, lengthMs, writer, kind, place }: Cell): string =>
  `${failure.how}, ${lengthMs / 1_000} s, ${writer}, ${kind}, ${place}`

/** Below it nothing is judged (CONF-7): there one place tells as much as four. */
export const WINDOW_MS = 2_000

/**
 * The product of everything, without what tells nothing more: where nobody writes there is no other place; a transaction
 * writes as REST does; below the window nothing is raised wherever it is; and who has seen what others deleted can
 * neither delete nor edit it.
 */
export function cells(lengthsMs: readonly number[]): Cell[] {
  const all: Cell[] = []
  for (const failure of FAILURES)
    for (const lengthMs of lengthsMs)
      for (const writer of WRITERS)
        for (const kind of KINDS)
          for (const place of PLACES) {
            if (place !== 'same' && (writer === 'nobody' || writer === 'transaction')) continue
            if (place !== 'same' && (lengthMs < WINDOW_MS || failure.sees)) continue
            all.push({ failure, lengthMs, writer, kind, place })
          }
  return all
}

const LINES = ['one', 'two', 'six', 'four', 'five']
const CONTENT = {
  text: LINES.join('\n'),
  json: Object.fromEntries(LINES.map((line) => [line, line])),
}

/** A page: everything it is sent waits while it hangs, whatever its socket answers. */
class Page {
  readonly doc: Y.Doc
  readonly provider: WebsocketProvider
  #waiting: (() => void)[] | null = null

  constructor(url: string, id: string, token: string, doc = new Y.Doc()) {
    this.doc = doc
    const later = (task: () => void): void => (this.#waiting ? void this.#waiting.push(task) : task())
    class PageSocket extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols)
        let listener: ((event: WebSocket.MessageEvent) => void) | null = null
        Object.defineProperty(this, 'onmessage', {
          set: (given: typeof listener) => {
            listener = given
          },
        })
        this.addEventListener('message', (event) => later(() => listener?.(event)))
      }
    }
    this.provider = new WebsocketProvider(`${url.replace(/^http/, 'ws')}/sync`, id, doc, {
      params: { token },
      disableBc: true,
      WebSocketPolyfill: PageSocket as unknown as typeof globalThis.WebSocket,
    })
  }

  hang(): void {
    this.#waiting = []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const task of waiting) task()
  }

  destroy(): void {
    this.provider.destroy()
    this.doc.destroy()
  }
}

/** What came of a cell, against what had to come of it; `unclear` where its time lay across the window. */
export interface Result {
  readonly name: string
  readonly expected: 'conflict' | 'none' | 'unclear'
  readonly found: 'conflict' | 'none' | 'more than one'
}

/** Runs one cell with stock clients on a server of its own choice of documents. */
export async function runCell(server: ConflictServer, cell: Cell): Promise<Result> {
  const { failure, lengthMs, kind } = cell
  const id = server.newId()
  const name = (who: string): string => `${who}-${id}`
  const rest = await server.as(name('rest'))
  await rest.post('/documents', { id, kind, content: CONTENT[kind] })
  const line = await FaultyLine.start(server.url)
  const token = await server.token(name('alice'))
  let alice = new Page(line.url, id, token)
  const bob = cell.writer === 'live' ? new Page(server.url, id, await server.token(name('bob'))) : null
  // What the server has: one that only reads is shown it.
  const onlooker = new Page(server.url, id, await server.token(name('onlooker'), { '*': ['read'] }))
  try {
    await until(() => [alice, bob, onlooker].every((page) => page === null || page.provider.synced))
    // Long enough for her page to have proved that, and to have been idle.
    await pause(300)

    fail(line, alice, failure, lengthMs)
    const writtenFromMs = performance.now()
    await write(cell, id, rest, bob)
    const writtenMs = performance.now()
    await pause(Math.max(0, lengthMs - (writtenMs - writtenFromMs) - 50))
    const arrivesFromMs = performance.now() + (failure.how === 'slow' ? lengthMs : 0)
    edit(alice.doc, kind, cell.place, 'alice')
    alice = await end(line, alice, failure, () => new Page(line.url, id, token))
    await until(() => Y.equalSnapshots(Y.snapshot(onlooker.doc), Y.snapshot(alice.doc)))
    const arrivedMs = performance.now()

    const { items } = (await rest.get(`/conflicts?document=${id}`)).body
    const found = items.length === 0 ? 'none' : items.length === 1 ? 'conflict' : 'more than one'
    const isOne = cell.place === 'same' || cell.place === 'delete against edit'
    const isExact = arrivesFromMs - writtenMs > WINDOW_MS
    const isRecent = arrivedMs - writtenFromMs < WINDOW_MS
    const isSilent = cell.writer === 'nobody' || !isOne || failure.sees
    const expected = isSilent || isRecent ? 'none' : isExact ? 'conflict' : 'unclear'
    return { name: nameOf(cell), expected, found }
  } finally {
    alice.destroy()
    bob?.destroy()
    onlooker.destroy()
    await line.close()
  }
}

function fail(line: FaultyLine, alice: Page, { how }: Failure, lengthMs: number): void {
  switch (how) {
    case 'closed':
    case 'reset':
      return line.cut(how)
    case 'reload with stored edits':
    case 'reload that reads stored edits later':
      return line.cut('reset')
    case 'black hole that ends':
    case 'black hole that ends in a reset':
    case 'given up by the client':
      return line.hold('up', 'down')
    case 'nothing arrives here':
      return line.hold('down')
    case 'nothing arrives there':
      return line.hold('up')
    case 'slow':
      return line.slow(lengthMs)
    case 'hanging page':
      return alice.hang()
  }
}

/** Ends the failure; answers the page that goes on. */
async function end(line: FaultyLine, alice: Page, { how }: Failure, open: () => Page): Promise<Page> {
  switch (how) {
    case 'closed':
    case 'reset':
      line.mend()
      return alice
    case 'black hole that ends':
    case 'nothing arrives there':
      line.release()
      return alice
    case 'black hole that ends in a reset':
    case 'nothing arrives here':
      line.cut('reset')
      line.mend()
      return alice
    case 'slow':
      return alice
    case 'hanging page':
      alice.goOn()
      return alice
    case 'given up by the client':
      line.mend()
      alice.provider.disconnect()
      alice.provider.connect()
      return alice
    case 'reload with stored edits':
    case 'reload that reads stored edits later': {
      const stored = Y.encodeStateAsUpdate(alice.doc)
      alice.destroy()
      line.mend()
      const page = open()
      if (how === 'reload that reads stored edits later') await until(() => page.provider.synced)
      Y.applyUpdate(page.doc, stored, 'stored')
      return page
    }
  }
}

async function write(
  { writer, kind, place }: Cell,
  id: string,
  rest: Awaited<ReturnType<ConflictServer['as']>>,
  bob: Page | null,
): Promise<void> {
  const doc = new Y.Doc()
  if (writer === 'nobody') return
  if (bob) {
    edit(bob.doc, kind, place, 'bob')
    return until(async () => equals((await rest.get(`/documents/${id}/content`)).body, plain(bob.doc, kind)))
  }
  fill(doc, kind)
  edit(doc, kind, place, 'bob')
  const content = plain(doc, kind)
  const answer =
    writer === 'REST'
      ? await rest.put(`/documents/${id}`, { content, baseVersion: 1 })
      : await rest.post('/transactions', {
          operations: [{ action: 'put', document: id, baseVersion: 1, content }],
          commit: true,
        })
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body))
}

function fill(doc: Y.Doc, kind: Cell['kind']): void {
  if (kind === 'text') doc.getText('content').insert(0, CONTENT.text)
  else for (const line of LINES) doc.getMap('content').set(line, line)
}

/** Both work on what was called `two`, but in another place. */
function edit(doc: Y.Doc, kind: Cell['kind'], place: Cell['place'], who: 'alice' | 'bob'): void {
  const isDelete = place === 'both delete' || (place === 'delete against edit' && who === 'bob')
  const key = place === 'other' && who === 'alice' ? 'four' : 'two'
  if (kind === 'json') {
    const map = doc.getMap('content')
    if (isDelete) map.delete(key)
    else map.set(key, `by ${who}`)
    return
  }
  const text = doc.getText('content')
  doc.transact(() => {
    const line = LINES.indexOf(key)
    const lines = text.toString().split('\n')
    const start = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0)
    const { length } = lines[line] ?? ''
    text.delete(start, isDelete ? length + 1 : length)
    if (!isDelete) text.insert(start, `by ${who}`)
  })
}

const plain = (doc: Y.Doc, kind: Cell['kind']): unknown =>
  kind === 'text' ? doc.getText('content').toString() : doc.getMap('content').toJSON()

const equals = (one: unknown, other: unknown): boolean => sorted(one) === sorted(other)
const sorted = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(Object.entries(value as object).toSorted())

/** Longer than the longest failure needs to be over. */
const PATIENCE_MS = 300_000

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < PATIENCE_MS / 25; n++) {
    if (await isSo()) return
    await pause(25)
  }
  throw new Error('it never became so')
}

/** Runs cells side by side, so many at a time. */
export async function runCells(server: ConflictServer, all: readonly Cell[], atATime: number): Promise<Result[]> {
  const results: Result[] = []
  const waiting = [...all]
  const work = async (): Promise<void> => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift()) {
      try {
        results.push(await runCell(server, cell))
      } catch (error) {
        throw new Error(nameOf(cell), { cause: error })
      }
    }
  }
  await Promise.all(Array.from({ length: atATime }, work))
  return results
}
