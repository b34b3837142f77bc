import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Permission } from '../../server/access/access.ts'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import type { Person } from './browser.ts'
import { startProcess, type Running } from './process.ts'

export interface Who {
  readonly sub: string
  readonly name?: string
  readonly permissions?: readonly Permission[]
  readonly ttlSeconds?: number
  /** Issued so much later: a revocation of this second does not count for it. */
  readonly afterMs?: number
}

/** Who writes and deletes beside the people. */
const PROGRAM: Who = { sub: 'program', name: 'The Program', permissions: ['admin'] }

/** The shipped server with its demo, whose guests have every right; what is older than `windowMs` is judged. */
export class DemoServer {
  readonly url: string
  readonly #running: Running
  readonly #folder: string
  readonly #secret: string | undefined

  private constructor(running: Running, folder: string, secret: string | undefined) {
    this.url = running.url
    this.#running = running
    this.#folder = folder
    this.#secret = secret
  }

  /** With a `secret` it takes no guests. */
  static async start(windowMs: number, secret?: string): Promise<DemoServer> {
    const folder = mkdtempSync(join(tmpdir(), 'parley-demo-'))
    const running = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: join(folder, 'demo.db'),
      PARLEY_SECRET: secret,
      PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(windowMs),
    })
    return new DemoServer(running, folder, secret)
  }

  /** A token of a server with a secret. */
  async token(who: Who): Promise<string> {
    const secret = Buffer.from(this.#secret ?? '')
    const issuer = new TokenIssuer({ secret, audience: null, environment: systemEnvironment })
    const { sub, name, permissions = ['read', 'write', 'resolve'], ttlSeconds = 3_600, afterMs = 0 } = who
    const issuedAtMs = Date.now() + afterMs
    return (await issuer.issue({ sub, name, access: { '*': permissions }, ttlSeconds }, issuedAtMs)).token
  }

  /** Opens a page as somebody, by the way a person goes: their token is pasted, then Enter. */
  async signIn({ page }: Pick<Person, 'page'>, path: string, token: string): Promise<void> {
    await page.goto(this.url + path)
    await page.locator('[data-testid=token-input]').fill(token)
    await page.keyboard.press('Enter')
    await page.locator('[data-testid=sign-in]').waitFor({ state: 'detached' })
  }

  /** Answers the status. */
  async send(method: string, path: string, body?: object): Promise<number> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    return (await this.#ask(path, { method, ...sent })).status
  }

  async contentOf(id: string): Promise<string> {
    return (await this.#ask(`/documents/${id}/content`)).text()
  }

  /** Of its conflicts, newest first. */
  async kindsOf(id: string): Promise<string[]> {
    const { items }: { items: { kind: string }[] } = JSON.parse(
      await (await this.#ask(`/conflicts?document=${id}`)).text(),
    )
    return items.map(({ kind }) => kind)
  }

  async stop(): Promise<void> {
    await this.#running.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #ask(path: string, request: RequestInit = {}): Promise<Response> {
    const token = this.#secret === undefined ? await this.#guest() : await this.token(PROGRAM)
    const type = request.body == null ? {} : { 'content-type': 'application/json' }
    const headers = { authorization: `Bearer ${token}`, ...type }
    return fetch(this.url + path, { ...request, headers })
  }

  async #guest(): Promise<string> {
    const answer = await fetch(`${this.url}/demo/token`, { method: 'POST' })
    const { token }: { token: string } = JSON.parse(await answer.text())
    return token
  }
}
