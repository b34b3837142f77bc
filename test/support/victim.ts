import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { startProcess, type Running } from './process.ts'
import { caller, TEST_SECRET, type Caller } from './server.ts'

const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment: systemEnvironment })

/** The built server on a file of its own, killed and started again on the same port. */
export class Victim {
  readonly #folder = mkdtempSync(join(tmpdir(), 'parley-kill-'))
  readonly file = join(this.#folder, 'test.db')
  readonly #variables: Record<string, string>
  #port = '0'
  #running: Running | null = null

  constructor(variables: Record<string, string> = {}) {
    this.#variables = variables
  }

  get url(): string {
    return this.#running?.url ?? ''
  }

  async start(): Promise<void> {
    const variables = {
      PARLEY_PORT: this.#port,
      PARLEY_DATABASE: this.file,
      PARLEY_SECRET: TEST_SECRET,
      PARLEY_LOG_LEVEL: 'silent',
      ...this.#variables,
    }
    this.#running = await startProcess('dist/server/main.js', ['serve'], variables)
    this.#port = new URL(this.#running.url).port
  }

  async kill(): Promise<void> {
    const child = this.#running?.process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  /** SIGTERM, and wait for the exit; answers its code. */
  async terminate(): Promise<number | null> {
    return this.#running?.stop() ?? null
  }

  async token(sub: string, access: Record<string, string[]> = { '*': ['read', 'write'] }): Promise<string> {
    return (await issuer.issue({ sub, access, ttlSeconds: 3600 } as Parameters<TokenIssuer['issue']>[0])).token
  }

  async as(sub: string): Promise<Caller> {
    return caller(() => this.url, await this.token(sub))
  }

  async dispose(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
