import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProcess, type Running } from './process.ts'

/** The shipped server with its demo, whose guests have every right; what is older than `windowMs` is judged. */
export class DemoServer {
  readonly url: string
  readonly #running: Running
  readonly #folder: string

  private constructor(running: Running, folder: string) {
    this.url = running.url
    this.#running = running
    this.#folder = folder
  }

  static async start(windowMs: number): Promise<DemoServer> {
    const folder = mkdtempSync(join(tmpdir(), 'parley-demo-'))
    const running = await startProcess('dist/server/main.js', ['serve'], {
      PARLEY_PORT: '0',
      PARLEY_DATABASE: join(folder, 'demo.db'),
      PARLEY_SECRET: undefined,
      PARLEY_CONCURRENT_EDIT_WINDOW_MS: String(windowMs),
    })
    return new DemoServer(running, folder)
  }

  /** Answers the status. */
  async send(method: string, path: string, body: object): Promise<number> {
    return (await this.#ask(path, { method, body: JSON.stringify(body) })).status
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
    const answer = await fetch(`${this.url}/demo/token`, { method: 'POST' })
    const { token }: { token: string } = JSON.parse(await answer.text())
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    return fetch(this.url + path, { ...request, headers })
  }
}
