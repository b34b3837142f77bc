import Database from 'better-sqlite3'
import { expect, it, onTestFinished, vi } from 'vitest'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { SqliteConflictReader } from '../../server/storage/sqlite/conflictReader.ts'
import { SqlitePeopleReader } from '../../server/storage/sqlite/people.ts'
import { newFile, opened, readRows } from '../support/storageFile.ts'
import { newDocumentId } from '../support/storageSamples.ts'

it('[OPS-8] no table keeps rows that may be large in the tree that they are found by', async () => {
  const file = newFile()
  await (await opened(file)).close()
  const named = readRows(file, "SELECT name FROM pragma_table_list WHERE wr = 1 AND schema = 'main' ORDER BY name")
  // Of names, numbers and hashes, which are short; and a thousand webhooks, of which the largest has 30 KB.
  const short = [
    'conflict_contents',
    'conflict_versions',
    'expiring',
    'former_clients',
    'labels',
    'locks',
    'people',
    'revocations',
  ]
  expect(named).toEqual(['answer_documents', ...short, 'webhooks'].map((name) => ({ name })))
})

it('[OPS-8] what is read of a row without its update stands before it', async () => {
  const file = newFile()
  await (await opened(file)).close()
  for (const [table, large] of [
    ['entries', 'update_bytes'],
    ['fresh_entries', 'update_bytes'],
    ['packs', 'updates'],
  ]) {
    const last = readRows(file, `SELECT name FROM pragma_table_info('${table}') ORDER BY cid DESC LIMIT 1`)
    expect(last).toEqual([{ name: large }])
  }
})

/** The same of a reader of conflicts. */
const planOf = (ask: (reader: SqliteConflictReader) => unknown, ...parameters: string[]): Promise<string[]> =>
  planOn((connection) => ask(new SqliteConflictReader(connection)), ...parameters)

/** The steps by which SQLite answers what is asked of a reader on a connection; `parameters` are those of its statement. */
async function planOn(
  ask: (connection: Database.Database) => unknown,
  ...parameters: (string | number)[]
): Promise<string[]> {
  const file = newFile()
  await (await opened(file)).close()
  const connection = new Database(file)
  onTestFinished(() => void connection.close())
  const run: string[] = []
  const prepare = connection.prepare.bind(connection)
  vi.spyOn(connection, 'prepare').mockImplementation((sql: string) => {
    const statement = prepare(sql)
    for (const way of ['all', 'iterate'] as const) {
      const real = statement[way].bind(statement)
      vi.spyOn(statement, way).mockImplementation((...given: unknown[]) => {
        run.push(sql)
        return real(...given) as never
      })
    }
    return statement
  })
  ask(connection)
  const plan = prepare(`EXPLAIN QUERY PLAN ${run.at(-1)}`).all(...parameters)
  return plan.map((step) => (step as { detail: string }).detail)
}

const ofOne = { patterns: [{ exact: newDocumentId() }], before: null, limit: 1 } as const
const [{ exact: theOne }] = ofOne.patterns

it('[WRITE-7] the open conflicts of an author are found without looking at those of others', async () => {
  const author = toPrincipalId('alice')
  const query = { ...ofOne, statuses: ['open'], kinds: ['stale-write'], author } as const
  const steps = await planOf((reader) => reader.conflicts(query), theOne, 'stale-write', author)
  expect(steps).toContain('SEARCH conflicts USING INDEX conflicts_open_of_author (document=? AND kind=? AND author=?)')
})

it('[OPS-8] the newest open conflicts of a document are found without sorting all of them', async () => {
  const steps = await planOf((reader) => reader.conflicts({ ...ofOne, statuses: ['open'] }), theOne)
  expect(steps.some((step) => step.includes('TEMP B-TREE'))).toBe(false)
})

it.each([
  ['open', { statuses: ['open'] }, [], 'conflicts_open (document=?)'],
  [
    'open of a kind',
    { statuses: ['open'], kinds: ['invalid-merge'] },
    ['invalid-merge'],
    'conflicts_open_of_author (document=? AND kind=?)',
  ],
  ['closed', { statuses: ['resolved'] }, ['resolved'], 'conflicts_by_document (document=?)'],
] as const)(
  '[OPS-8] the %s conflicts of a document are found without looking at other documents',
  async (_which, query, parameters, index) => {
    const steps = await planOf((reader) => reader.conflicts({ ...ofOne, ...query }), theOne, ...parameters)
    expect(steps).toContain(`SEARCH conflicts USING INDEX ${index}`)
  },
)

it('[OPS-8] the open conflicts of some documents are counted without looking at other documents', async () => {
  const steps = await planOf((reader) => reader.openConflictCounts([theOne]), JSON.stringify([theOne]))
  expect(steps).toContain('SEARCH conflicts USING COVERING INDEX conflicts_open (document=?)')
})

it('[OPS-8] people of a document are found without going through those before them', async () => {
  const [one, step] = [toPrincipalId('alice'), 'SEARCH people USING PRIMARY KEY (document=? AND sub']
  const page = await planOn(
    (connection) => new SqlitePeopleReader(connection).people(theOne, { sub: null, after: one, limit: 9 }),
    ...[theOne, one, 9],
  )
  expect(page).toContain(`${step}>?)`)
  const alone = await planOn(
    (connection) => new SqlitePeopleReader(connection).people(theOne, { sub: one, after: null, limit: 9 }),
    ...[theOne, '', one, 9],
  )
  expect(alone).toContain(`${step}=?)`)
})
