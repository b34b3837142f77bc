import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser, type Person, type TestBrowser } from './browser.ts'
import { RATES_NEVER_MET } from './rates.ts'
import { startProcess, type Running } from './process.ts'

const SECRET = 'a-secret-of-the-demo-stage-0123456789'
/** What is older than this when it comes back is judged (CONF-7). */
const WINDOW_MS = 300
const EVERYTHING = { '*': ['read', 'write', 'resolve'] }

/** Whom people on the stage are, and what they may do. */
export interface Role {
  readonly name: string
  readonly access?: Readonly<Record<string, readonly string[]>>
}

/** The shipped server with its demo and a secret of its own, and a real browser: people who sign in, and a program. */
export class DemoStage {
  readonly url: string
  readonly browser: TestBrowser
  readonly #running: Running
  readonly #folder: string

  private constructor(running: Running, browser: TestBrowser, folder: string) {
    this.url = running.url
    this.browser = browser
    this.#running = running
    this.#folder = folder
  }

  static async start(): Promise<DemoStage> {
    const folder = mkdtempSync(join(tmpdir(), 'parley-stage-'))
    const running = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: join(folder, 'demo.db'),
      PARLEY_SECRET: SECRET,
      PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(WINDOW_MS),
      ...RATES_NEVER_MET,
    })
    return new DemoStage(running, await launchBrowser(), folder)
  }

  async stop(): Promise<void> {
    await this.browser.close()
    await this.#running.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  token({ name, access = EVERYTHING }: Role): Promise<string> {
    return new SignJWT({ name, access })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(name.toLowerCase())
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(SECRET))
  }

  /** Somebody in a window of their own, signed in as a person does it. */
  async signIn(role: Role, options: BrowserContextOptions = {}): Promise<Person> {
    const person = await this.browser.person(options)
    const { page } = person
    await page.goto(`${this.url}/demo/`)
    await page.locator('[data-testid=token-input]').fill(await this.token(role))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.locator('[data-testid=self]').waitFor()
    return person
  }

  /** The same, with the document open. */
  async person(role: Role, id: string, options: BrowserContextOptions = {}): Promise<Person> {
    const person = await this.signIn(role, options)
    await this.open(person.page, id)
    return person
  }

  async open(page: Page, id: string): Promise<void> {
    await page.goto(`${this.url}/demo/#/documents/${id}`)
    await page.locator('[data-testid=connection][data-phase=live]').waitFor()
  }

  /** What a program sends. */
  async send(role: Role, method: string, path: string, body?: object): Promise<Response> {
    return fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${await this.token(role)}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }

  /** Fails where the server does not do it. */
  async does(role: Role, method: string, path: string, body?: object): Promise<unknown> {
    const answer = await this.send(role, method, path, body)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`)
    return text === '' ? null : (JSON.parse(text) as unknown)
  }

  /** A write that is refused; the id of its conflict. */
  async refused(role: Role, id: string, body: object): Promise<string> {
    const answer = await this.send(role, 'PUT', `/documents/${id}`, body)
    const problem: { conflict?: { id: string } } = JSON.parse(await answer.text())
    if (problem.conflict === undefined) throw new Error(`The write was not refused: ${answer.status}`)
    return problem.conflict.id
  }

  async contentOf(id: string): Promise<string> {
    return (await this.send({ name: 'Reader' }, 'GET', `/documents/${id}/content`)).text()
  }
}
