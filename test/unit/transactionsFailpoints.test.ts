import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { intentOf } from '../../server/documents/base.ts'
import { Acts } from '../../server/documents/acts/acts.ts'
import { Committer } from '../../server/documents/commit.ts'
import { Replicas } from '../../server/documents/replicas.ts'
import { DocumentWriter } from '../../server/documents/write.ts'
import type { Terms } from '../../server/foundation/answer.ts'
import type { Environment } from '../../server/foundation/environment.ts'
import { toSequence } from '../../server/foundation/ids.ts'
import { ParleyError } from '../../server/foundation/problems.ts'
import { openSqlite } from '../../server/storage/sqlite/open.ts'
import type { Storage } from '../../server/storage/storage.ts'
import type { Operation, OperationOutcome } from '../../server/transactions/operation.ts'
import { comparerHere, schemasHere } from '../support/schemas.ts'
import { Transactor } from '../../server/transactions/transactor.ts'
import { ALICE, BOB, id, LIMITS } from '../support/documentCore.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { newAnswer } from '../support/storageSamples.ts'

/** Counts what the writer asks of its connection; dies at one of these moments, and answers nothing after that. */
class Failpoint {
  readonly #at: number
  #isArmed = false
  #passed = 0
  /** Where it died: `before INSERT INTO events …`. */
  died: string | null = null

  constructor(at: number) {
    this.#at = at
  }

  arm(): void {
    this.#isArmed = true
  }

  readonly prepareWriter = (connection: Database.Database): void => {
    const prepare = connection.prepare.bind(connection)
    Object.assign(connection, {
      prepare: (sql: string) => {
        const statement = prepare(sql)
        for (const method of ['run', 'get', 'all'] as const) {
          const perform = statement[method].bind(statement)
          Object.assign(statement, {
            [method]: (...values: unknown[]) => {
              this.#pass(`before ${sql}`)
              const result = perform(...values)
              this.#pass(`after ${sql}`)
              return result
            },
          })
        }
        return statement
      },
    })
  }

  #pass(moment: string): void {
    if (!this.#isArmed) return
    if (this.died === null && this.#passed++ === this.#at) this.died = moment
    if (this.died !== null) throw new Error('The process is dead, says the test.')
  }
}

let folder: string
let seed: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parley-failpoints-'))
  seed = join(folder, 'seed.db')
  const { storage, writer, close } = await open(seed)
  for (const name of ['a', 'b', 'gone', 'stale']) {
    await writer.create({ id: id(name), kind: 'text' }, 'one\n', { author: ALICE, origin: 'create' })
  }
  await writer.write(writeOf('stale', 'ONE\n', 1, BOB))
  expect((await storage.head(id('stale')))?.version).toBe(2)
  await close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const openStorage = (file: string, environment: Environment, failpoint?: Failpoint): Promise<Storage> =>
  openSqlite({ file, writer: 'inline', environment }, failpoint ? { prepareWriter: failpoint.prepareWriter } : {})

async function open(file: string, failpoint?: Failpoint) {
  const environment = new ManualEnvironment()
  const storage = await openStorage(file, environment, failpoint)
  const committer = new Committer(storage)
  const replicas = new Replicas({
    storage,
    committer,
    environment,
    limits: LIMITS,
    idleMs: 30_000,
    budgetBytes: 64 * 1024 * 1024,
  })
  const parts = {
    storage,
    replicas,
    committer,
    environment,
    limits: LIMITS,
    lineLength: () => 0,
    schemas: schemasHere(),
    comparer: comparerHere(),
  }
  const acts = new Acts(parts)
  const close = async (): Promise<void> => {
    replicas.close(new ParleyError('shutting-down', 'The test is over.'))
    await storage.close()
  }
  return { storage, writer: new DocumentWriter(parts, acts), transactor: new Transactor(parts, acts), close }
}

const baseOf = (version: number) => intentOf({ ifMatch: null, ifNoneMatch: false, baseVersion: version })

function writeOf(document: string, content: string, baseVersion: number, author = ALICE) {
  return {
    document: id(document),
    author,
    intent: baseOf(baseVersion),
    incoming: () => content,
    createsKind: 'text',
    onConflict: null,
    origin: 'transaction',
  } as const
}

const put = (document: string, content: string, baseVersion: number): Operation => ({
  do: 'write',
  document: id(document),
  request: writeOf(document, content, baseVersion),
})

const DONE: readonly Operation[] = [
  put('a', 'two\n', 1),
  { do: 'delete', document: id('gone'), change: { document: id('gone'), author: ALICE, intent: baseOf(1) } },
  { do: 'create', document: id('new'), wanted: { id: id('new'), kind: 'text' }, content: 'new' },
  put('b', 'two\n', 1),
]
const REFUSED: readonly Operation[] = [put('a', 'two\n', 1), put('stale', 'eins\n', 1), put('b', 'two\n', 1)]

const terms: Terms<OperationOutcome> = {
  assertAllowed: () => undefined,
  keep: async () => newAnswer({ key: 'the key', documents: [id('a')] }),
}

/** All that a transaction may have changed. */
async function stateOf(storage: Storage): Promise<unknown> {
  const names = ['a', 'b', 'gone', 'new', 'stale']
  const heads = await Promise.all(names.map((name) => storage.head(id(name))))
  const conflicts = await storage.conflicts({ patterns: [{ prefix: '' }], before: null, limit: 9 })
  return {
    versions: heads.map((head) => head?.version ?? null),
    events: (await storage.events(toSequence(0), 99)).map(({ type, document }) => `${type} ${document}`),
    conflicts: conflicts.map(({ document, state }) => `${state.status} ${document}`),
    answer: (await storage.answer(ALICE, 'the key'))?.status ?? null,
  }
}

/** The same of a file that nobody has open. */
async function stateIn(file: string): Promise<unknown> {
  const storage = await openStorage(file, new ManualEnvironment())
  try {
    return await stateOf(storage)
  } finally {
    await storage.close()
  }
}

describe('[TX-1] a process that dies at any step of a commit', () => {
  for (const [name, operations] of Object.entries({ committed: DONE, refused: REFUSED })) {
    it(`[TX-1] [TX-4] [WRITE-8] leaves all of it or nothing, and its answer with it: ${name}`, async () => {
      const before = await stateIn(seed)
      const moments: string[] = []
      let after: unknown = null
      for (let at = 0; after === null; at++) {
        expect(at).toBeLessThan(200)
        const file = join(folder, `${name}-${at}.db`)
        copyFileSync(seed, file)
        const failpoint = new Failpoint(at)
        const dying = await open(file, failpoint)
        failpoint.arm()
        const ended = await dying.transactor.perform(operations, ALICE, terms).then(
          (outcome) => outcome.status,
          () => 'died',
        )
        await dying.close()
        const state = await stateIn(file)
        if (failpoint.died === null) {
          expect(ended).toBe(name)
          after = state
        } else {
          // What comes after the commit is done for the writer itself, and its failure is nobody's.
          const isTold = moments.includes('after COMMIT')
          expect([failpoint.died, ended]).toEqual([failpoint.died, isTold ? name : 'died'])
          moments.push(failpoint.died)
          const isOnDisk = isTold || failpoint.died === 'after COMMIT'
          if (isOnDisk) expect(state).not.toEqual(before)
          else expect([failpoint.died, state]).toEqual([failpoint.died, before])
        }
      }
      // The only moment between the commit and the answer; then all is there, the answer too.
      const onDisk = moments.indexOf('after COMMIT')
      expect(onDisk).toBeGreaterThan(0)
      expect(moments.length).toBeGreaterThan(name === 'committed' ? 30 : 15)
      expect(after).toMatchObject({
        versions: name === 'committed' ? [2, 2, 2, 1, 2] : [1, 1, 1, null, 2],
        conflicts: name === 'committed' ? [] : ['open stale'],
        answer: 200,
      })
      expect(await stateIn(join(folder, `${name}-${onDisk}.db`))).toEqual(after)
    })
  }
})
