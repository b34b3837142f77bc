import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApp, type AppInternals } from '../../server/app.ts'
import { readConfig } from '../../server/config.ts'
import { TokenIssuer } from '../../server/access/tokens.ts'
import { systemEnvironment, type Environment } from '../../server/foundation/environment.ts'
import { putMigrated } from './migratedFile.ts'
import { recordAnswers } from './recorder.ts'
import { RATES_NEVER_MET } from './rates.ts'
import { noteContents, noteLockToken, watchedLog } from './watchedLog.ts'

export const TEST_SECRET = 'a secret of the tests, 32 bytes or more'

export interface TestServer {
  readonly url: string
  readonly file: string
  /** A token of `sub`; everything on every document by default. */
  token(sub: string, access?: Record<string, string[]>): Promise<string>
  /** A small client that acts as `sub`. */
  as(sub: string, access?: Record<string, string[]>): Promise<Caller>
  /** Stops, keeps the file, and starts again on it. Nobody has it open while it is `down`. */
  restart(down?: (file: string) => void): Promise<void>
  stop(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Parsed where the answer is JSON, else the text. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  readonly body: any
}

export interface Caller {
  readonly token: string
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  put(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  patch(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  delete(path: string, headers?: Record<string, string>): Promise<Answer>
}

const ALL = { '*': ['read', 'write', 'resolve'] }

/** A whole server in this process on a real SQLite file and a port of its own. */
export async function startTestServer(
  options: { variables?: Record<string, string | undefined>; internals?: AppInternals; environment?: Environment } = {},
): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-test-'))
  const file = join(folder, 'test.db')
  putMigrated(file)
  const environment = options.environment ?? systemEnvironment
  const variables = {
    PARLEY_PORT: '0',
    PARLEY_DATABASE: file,
    PARLEY_SECRET: TEST_SECRET,
    PARLEY_LOG_LEVEL: 'debug',
    PARLEY_LOG_FORMAT: 'json',
    ...RATES_NEVER_MET,
    ...options.variables,
  }
  const read = readConfig(variables)
  if ('problem' in read) throw new Error(read.problem)
  const start = () =>
    startApp(read.config, environment, {
      writer: 'inline',
      watchHttp: recordAnswers,
      logStream: watchedLog,
      ...options.internals,
    })
  let app = await start()
  const issuer = new TokenIssuer({ secret: Buffer.from(TEST_SECRET), audience: null, environment })
  const token = async (sub: string, access: Record<string, string[]> = ALL): Promise<string> =>
    (await issuer.issue({ sub, access, ttlSeconds: 3600 } as Parameters<TokenIssuer['issue']>[0])).token
  return {
    get url() {
      return app.url
    },
    file,
    token,
    async as(sub, access) {
      return caller(() => app.url, await token(sub, access))
    },
    async restart(down) {
      await app.stop()
      down?.(file)
      app = await start()
    },
    async stop() {
      await app.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A small client with a token. */
export function caller(url: () => string, token: string): Caller {
  const call: Caller['call'] = async (method, path, body, headers = {}) => {
    // A bare content, and what stands in a body.
    noteContents(body, typeof body === 'string' || path.split('?', 1)[0]?.endsWith('/content'))
    const answer = await fetch(url() + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined || 'content-type' in headers ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    const isJson = /[/+]json/.test(answer.headers.get('content-type') ?? '')
    const parsed = isJson && text !== '' ? JSON.parse(text) : text
    noteContents(parsed)
    if (path.endsWith('/lock') && typeof parsed.token === 'string') noteLockToken(parsed.token)
    return { status: answer.status, headers: answer.headers, body: parsed }
  }
  return {
    token,
    call,
    get: (path, headers) => call('GET', path, undefined, headers),
    post: (path, body, headers) => call('POST', path, body, headers),
    put: (path, body, headers) => call('PUT', path, body, headers),
    patch: (path, body, headers) => call('PATCH', path, body, headers),
    delete: (path, headers) => call('DELETE', path, undefined, headers),
  }
}
