import { setTimeout as pause } from 'node:timers/promises'
import * as Y from 'yjs'
import { FaultyLine } from './faultyLine.ts'
import { expectedOf, nameOf, type Cell, type Expected, type How } from './lineCells.ts'
import { CONTENT, edit, fill, Page, plain, type PageOptions } from './linePage.ts'
import { Meeting, type Attendee } from './meeting.ts'
import type { Caller } from './server.ts'
import { SuspendedPages } from './suspendedPages.ts'
import { Victim } from './victim.ts'

/** What cells need of a server. */
export interface LineServer {
  readonly url: string
  token(sub: string, access?: Record<string, string[]>): Promise<string>
  as(sub: string): Promise<Caller>
}

/** What came of a cell, against what had to come of it. */
export interface Result {
  readonly name: string
  readonly expected: Expected
  readonly found: 'conflict' | 'none' | 'more than one' | Error
}

export const isWrong = ({ expected, found }: Result): boolean =>
  found === 'more than one' || found instanceof Error || (expected !== 'unclear' && expected !== found)

/** Where alice sits. */
interface Seat {
  isSynced(): boolean | Promise<boolean>
  snapshot(): Uint8Array | Promise<Uint8Array>
  destroy(): void
}

/** What cells do together; each alone in most of them. */
interface Company {
  sit(options: PageOptions): Seat
  /** It has failed for all of them. */
  fails?: Attendee
  /** They all wrote, and something befell them after that. */
  failsAgain?: Attendee
  /** It is over for all of them. */
  ends?: Attendee
  /** Alice edits by herself. */
  hasEdited?(seat: Seat): Promise<boolean>
}

/** Of so many, at most one may stay unclear. */
const CLEAR_OF = 20
const TRIES = 4

/**
 * Runs cells, and those again whose times lay across the window: where fewer run at a time, they do not. `tries` is how often
 * before. Too many that stay so are an error, for they prove nothing.
 */
export async function untilClear(
  run: (cells: readonly Cell[], tries: number) => Promise<Result[]>,
  all: readonly Cell[],
): Promise<Result[]> {
  let results = await run(all, 0)
  const isUnclear = ({ expected, found }: Result): boolean => expected === 'unclear' && !(found instanceof Error)
  for (let tries = 1; tries < TRIES && results.some(isUnclear); tries++) {
    const unclear = new Set(results.filter(isUnclear).map(({ name }) => name))
    const again = await run(
      all.filter((cell) => unclear.has(nameOf(cell))),
      tries,
    )
    results = [...results.filter((one) => !isUnclear(one)), ...again]
  }
  const unclear = results.filter(isUnclear).length
  if (unclear * CLEAR_OF > results.length) throw new Error(`${unclear} of ${results.length} cells stay unclear`)
  return results
}

const ALONE: Company = { sit: (options) => new Page(options) }

let documents = 0

/** Lower, or higher, than any id of chance. */
const CLIENTS = { lower: 1, higher: 0xff_ff_ff_fe }

/** Runs one cell with stock clients. */
async function runCell(server: LineServer, cell: Cell, company: Company): Promise<Result> {
  const { failure, lengthMs, kind, order } = cell
  const id = `line-${++documents}`
  const name = (who: string): string => `${who}-${id}`
  const rest = await server.as(name('rest'))
  await rest.post('/documents', { id, kind, content: CONTENT[kind] })
  const line = await FaultyLine.start(server.url)
  const options = { url: line.url, id, token: await server.token(name('alice')) }
  const open = async (who: string, access?: Record<string, string[]>): Promise<Page> =>
    new Page({ url: server.url, id, token: await server.token(name(who), access) })
  const bob = cell.writer === 'live' ? await open('bob') : null
  // What the server has: one that only reads is shown it.
  const onlooker = await open('onlooker', { '*': ['read'] })
  let alice = company.sit({ ...options, client: CLIENTS[order] })
  const areSynced = async (): Promise<boolean> =>
    (await alice.isSynced()) && (bob === null || bob.isSynced()) && onlooker.isSynced()
  try {
    await until(areSynced)
    // Long enough for her page to have proved that, and to have been idle.
    await pause(300)

    fail(line, alice, cell)
    await company.fails?.arrive()
    if (isServerUp(cell)) await until(() => bob?.isSynced() ?? true)
    const writtenFromMs = performance.now()
    await write(cell, id, rest, bob)
    const writtenMs = performance.now()
    if (company.failsAgain) line.refuse()
    await company.failsAgain?.arrive()
    await pause(Math.max(0, lengthMs - (performance.now() - writtenFromMs) - 50))
    const arrivesFromMs = performance.now() + (failure.how === 'slow' ? lengthMs : 0)
    if (alice instanceof Page) alice.edit(kind, cell.place, 'alice')
    await company.ends?.arrive()
    alice = await end(line, alice, cell, () => new Page(options))
    if (company.hasEdited) await until(() => company.hasEdited?.(alice) ?? true)
    await until(async () => areEqual(onlooker.snapshot(), await alice.snapshot()))
    if (bob) await until(async () => areEqual(onlooker.snapshot(), bob.snapshot()))
    const arrivedMs = performance.now()

    const { items } = (await rest.get(`/conflicts?document=${id}`)).body
    const found = items.length === 0 ? 'none' : items.length === 1 ? 'conflict' : 'more than one'
    const expected = expectedOf(cell, { writtenFromMs, writtenMs, arrivesFromMs, arrivedMs })
    return { name: nameOf(cell), expected, found }
  } finally {
    alice.destroy()
    bob?.destroy()
    onlooker.destroy()
    await line.close()
  }
}

function fail(line: FaultyLine, alice: Seat, { failure: { how }, lengthMs }: Cell): void {
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
    case 'server stopped after they wrote':
    case 'server killed after they wrote':
      return line.hold('up', 'down')
    case 'nothing arrives here':
      return line.hold('down')
    case 'nothing arrives there':
      return line.hold('up')
    case 'slow':
      return line.slow(lengthMs)
    case 'hanging page':
      return alice instanceof Page ? alice.hang() : undefined
    case 'server stopped':
    case 'server killed':
    case 'server killed while both write':
      return line.refuse()
    case 'suspended process':
    case 'suspended process that reads before it writes':
  }
}

/** Ends the failure; answers the page that goes on. */
async function end(line: FaultyLine, alice: Seat, { failure: { how } }: Cell, open: () => Page): Promise<Seat> {
  switch (how) {
    case 'closed':
    case 'reset':
    case 'server stopped':
    case 'server killed':
    case 'server killed while both write':
      line.mend()
      return alice
    case 'black hole that ends':
    case 'nothing arrives there':
      line.release()
      return alice
    case 'black hole that ends in a reset':
    case 'nothing arrives here':
    case 'server stopped after they wrote':
    case 'server killed after they wrote':
      line.cut('reset')
      line.mend()
      return alice
    case 'slow':
    case 'suspended process':
    case 'suspended process that reads before it writes':
      return alice
    case 'hanging page':
      if (alice instanceof Page) alice.goOn()
      return alice
    case 'given up by the client':
      line.mend()
      if (alice instanceof Page) {
        alice.provider.disconnect()
        alice.provider.connect()
      }
      return alice
    case 'reload with stored edits':
    case 'reload that reads stored edits later': {
      const stored = alice instanceof Page ? Y.encodeStateAsUpdate(alice.doc) : new Uint8Array()
      alice.destroy()
      line.mend()
      const page = open()
      if (how === 'reload that reads stored edits later') await until(() => page.isSynced())
      Y.applyUpdate(page.doc, stored, 'stored')
      return page
    }
  }
}

const isServerUp = ({ failure }: Cell): boolean => failure.how !== 'server killed while both write'

async function write(cell: Cell, id: string, rest: Caller, bob: Page | null): Promise<void> {
  const { writer, kind, place } = cell
  if (writer === 'nobody') return
  if (bob) {
    bob.edit(kind, place, 'bob')
    if (!isServerUp(cell)) return
    return until(async () => equals((await rest.get(`/documents/${id}/content`)).body, plain(bob.doc, kind)))
  }
  const doc = new Y.Doc()
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

const equals = (one: unknown, other: unknown): boolean => sorted(one) === sorted(other)
const sorted = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(Object.entries(value as object).toSorted())
const areEqual = (one: Uint8Array, other: Uint8Array): boolean =>
  Y.equalSnapshots(Y.decodeSnapshot(one), Y.decodeSnapshot(other))

/** Longer than the longest failure needs to be over. */
const FAILURE_MS = 300_000

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + FAILURE_MS
  while (performance.now() < endMs) {
    if (await isSo()) return
    await pause(25)
  }
  throw new Error('it never became so')
}

/** What becomes of a cell; a cell that breaks is a result too, so that the others are seen. */
async function resultOf(server: LineServer, cell: Cell, company: Company): Promise<Result> {
  try {
    return await runCell(server, cell, company)
  } catch (error) {
    for (const one of [company.fails, company.failsAgain, company.ends]) one?.stayAway()
    return { name: nameOf(cell), expected: 'unclear', found: error instanceof Error ? error : new Error(String(error)) }
  }
}

/** Runs cells that have nothing to do with each other, so many at a time. */
export function runCells(server: LineServer, all: readonly Cell[], atATime: number): Promise<Result[]> {
  const mine = all.filter(({ failure }) => !failure.together)
  return sideBySide(mine, atATime, async (cell) => [await resultOf(server, cell, ALONE)])
}

/** Runs the cells in which the process of alice's page is suspended: one process for all of one length. */
export function runSuspended(server: LineServer, all: readonly Cell[]): Promise<Result[]> {
  const mine = all.filter(({ failure }) => failure.together === 'page')
  const groups = groupBy(mine, ({ lengthMs }) => String(lengthMs))
  return sideBySide(groups, groups.length, (cells) => runOneSuspension(server, cells))
}

async function runOneSuspension(server: LineServer, cells: readonly Cell[]): Promise<Result[]> {
  const pages = new SuspendedPages()
  const fails = new Meeting(cells.length, () => pages.suspend())
  const ends = new Meeting(cells.length, () => pages.goOn())
  const results = await Promise.all(
    cells.map((cell) => {
      const { kind, place, writer, failure } = cell
      const waking = { kind, place, first: failure.sees ? 'reads' : 'edits', isWrittenTo: writer !== 'nobody' } as const
      let seat: ReturnType<SuspendedPages['open']> | null = null
      return resultOf(server, cell, {
        sit: (options) => (seat = pages.open(options, waking)),
        fails: fails.attendee(),
        ends: ends.attendee(),
        hasEdited: async () => seat?.hasEdited() ?? false,
      })
    }),
  )
  await pages.end()
  return results
}

/** Each start of a server keeps a core busy for about a second. */
const SERVERS_AT_A_TIME = 3

/** Runs the cells in which the server ends and starts again: one server for each way in which it does. */
export function runRestarts(all: readonly Cell[]): Promise<Result[]> {
  const mine = all.filter(({ failure }) => failure.together === 'server')
  const groups = groupBy(mine, ({ failure: { how }, lengthMs }) => {
    if (how === 'server killed while both write') return `${how}, ${lengthMs}`
    return isStop(how) ? 'stopped' : 'killed'
  })
  return sideBySide(groups, SERVERS_AT_A_TIME, (cells) => runOneRestart(cells))
}

const isStop = (how: How): boolean => how.startsWith('server stopped')

async function runOneRestart(cells: readonly Cell[]): Promise<Result[]> {
  const server = new Victim()
  await server.start()
  const stop = async (): Promise<void> => {
    if (cells.some(({ failure }) => isStop(failure.how))) await server.terminate()
    else await server.kill()
  }
  const start = (): Promise<void> => server.start()
  const [down, up] = [new Meeting(cells.length, stop), new Meeting(cells.length, start)]
  const again = new Meeting(cells.length, async () => (await stop(), start()))
  const companyOf = ({ failure: { how } }: Cell): Partial<Company> => {
    if (how === 'server killed while both write') return { fails: down.attendee(), ends: up.attendee() }
    return how.endsWith('after they wrote') ? { failsAgain: again.attendee() } : { fails: again.attendee() }
  }
  const results = await Promise.all(cells.map((cell) => resultOf(server, cell, { ...ALONE, ...companyOf(cell) })))
  await server.dispose()
  return results
}

async function sideBySide<T>(
  all: readonly T[],
  atATime: number,
  run: (one: T) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const results: Result[] = []
  const waiting = [...all]
  const work = async (): Promise<void> => {
    for (let one = waiting.shift(); one; one = waiting.shift()) results.push(...(await run(one)))
  }
  await Promise.all(Array.from({ length: atATime }, work))
  return results
}

function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one])
  return [...groups.values()]
}
