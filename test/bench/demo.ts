import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { launchBrowser, type TestBrowser } from '../support/browser.ts'
import { startProcess } from '../support/process.ts'
import { timeToFirstEdit, Wire, type Received } from '../support/wire.ts'
import { median, withFolder } from './processes.ts'

const ROUNDS = 3
const kilobytes = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} KB`

/** The demo page as somebody meets it for the first time: what it weighs, and how long until they can write. */
export async function demo(): Promise<void> {
  await withFolder(async (folder) => {
    const server = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: join(folder, 'parley.db'),
      PARLEY_SECRET: undefined,
    })
    const browser = await launchBrowser()
    try {
      await create(server.url)
      await measure(server.url, browser)
    } finally {
      await browser.close()
      await server.stop()
    }
  })
}

async function create(url: string): Promise<void> {
  const guest: { token: string } = JSON.parse(await (await fetch(`${url}/demo/token`, { method: 'POST' })).text())
  await fetch(`${url}/documents`, {
    method: 'POST',
    headers: { authorization: `Bearer ${guest.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'bench', kind: 'text', content: '# A plan\nMeet on Monday\n' }),
  })
}

async function measure(url: string, browser: TestBrowser): Promise<void> {
  const rows: Visit[] = []
  for (let round = 0; round < ROUNDS; round += 1) rows.push(await visit(url, browser))
  const [first] = rows
  if (first === undefined) return
  const seconds = (pick: (row: Visit) => number): string => `${(median(rows.map(pick)) / 1_000).toFixed(2)} s`
  console.log('  on 1.6 Mbit/s, 150 ms away, CPU slowed 4 times; medians of', ROUNDS)
  console.log(
    `  first visit   ${kilobytes(first.cold.bytes)} in ${first.cold.paths.length} requests, first edit after ${seconds((row) => row.cold.ms)}`,
  )
  console.log(
    `  next visit    ${kilobytes(first.warm.bytes)} in ${first.warm.paths.length} requests, first edit after ${seconds((row) => row.warm.ms)}`,
  )
  console.log(`  list, first   ${kilobytes(first.list.bytes)} in ${first.list.paths.length} requests`)
}

interface Visit {
  readonly cold: Load
  readonly warm: Load
  readonly list: Received
}
type Load = Received & { readonly ms: number }

async function visit(url: string, browser: TestBrowser): Promise<Visit> {
  const load = async (page: Page, line: Wire): Promise<Load> => {
    const ms = await timeToFirstEdit(page)
    return { ...line.take(), ms }
  }
  const [person, other] = [await browser.person(), await browser.person()]
  const line = await (await Wire.of(person.page)).slow()
  await person.page.goto(`${url}/demo/#/documents/bench`)
  const cold = await load(person.page, line)
  await person.page.locator('[data-testid=save-state][data-state=saved]').waitFor()
  line.take()
  await person.page.reload()
  const warm = await load(person.page, line)
  const listLine = await (await Wire.of(other.page)).slow()
  await other.page.goto(`${url}/demo/`)
  await other.page.locator('[data-testid=document-row]').first().waitFor()
  const list = listLine.take()
  await person.context.close()
  await other.context.close()
  return { cold, warm, list }
}
