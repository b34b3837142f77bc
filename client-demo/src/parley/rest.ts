import * as shapes from './shapes.ts'
import type { Reader } from './readers.ts'
import type * as Types from './types.ts'

/** Where tokens come from. `renew` is asked once for a token that was refused, and may hand out another principal's. */
export interface TokenSource {
  current(): Promise<string>
  renew(refused: string): Promise<string>
}

/** The server refused: the problem document, as an error. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Types.Problem

  constructor(problem: Types.Problem) {
    super(problem.detail || problem.title)
    this.problem = problem
  }
}

/** No answer came, or none that Parley speaks: the network, a proxy, a server that is down. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

export interface RestOptions {
  /** Where the API is, without a final slash: `http://localhost:4090`. */
  readonly baseUrl: string
  readonly token: TokenSource
  readonly fetch?: typeof fetch
}

/** An answer that takes longer is as good as none. */
const REQUEST_TIMEOUT_MS = 30_000
/** The most a list answers in one page (API-5). */
const PAGE_LIMIT = 100
/** The most a list can answer. */
const PEOPLE_LIMIT = 500

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The answer is a text as it is, and no JSON. */
  readonly bare?: boolean
}

const CONTENT_TYPES = { text: 'text/plain; charset=utf-8', json: 'application/json' } as const

/**
 * Parley over REST, typed. Every method rejects with ProblemError when the server refuses and with
 * UnreachableError when no answer comes; a 401 is tried once more with a renewed token.
 */
export class Rest {
  readonly #baseUrl: string
  readonly #token: TokenSource
  readonly #fetch: typeof fetch

  constructor(options: RestOptions) {
    this.#baseUrl = options.baseUrl
    this.#token = options.token
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
  }

  /** Documents without content, by id; `pattern` is an id or a prefix followed by `*`. */
  listDocuments(options: { pattern?: string; cursor?: string } = {}): Promise<Types.Page<Types.ListedDocument>> {
    const search = query({ pattern: '*', ...options, limit: PAGE_LIMIT })
    return this.#ask({ method: 'GET', path: `/documents?${search}` }, shapes.pageOf(shapes.listedDocument))
  }

  createDocument(wanted: { id: string; kind: Types.Kind; content?: Types.Content }): Promise<Types.Document> {
    return this.#ask({ method: 'POST', path: '/documents', ...json(wanted) }, shapes.document)
  }

  getDocument(id: string): Promise<Types.Document> {
    return this.#ask({ method: 'GET', path: documentPath(id) }, shapes.document)
  }

  /** Replaces the content as it stands on `etag`. `body` is the bare content: the text, or the JSON text. */
  putContent(
    id: string,
    kind: Types.Kind,
    body: string,
    { etag, lockToken = null }: { readonly etag: string; readonly lockToken?: string | null },
  ): Promise<Types.WriteAnswer> {
    const headers = { 'content-type': CONTENT_TYPES[kind], 'if-match': `"${etag}"`, ...showing(lockToken) }
    return this.#ask({ method: 'PUT', path: `${documentPath(id)}/content`, headers, body }, shapes.writeAnswer)
  }

  /**
   * Replaces the content as it stood at `baseVersion`: where the document went on elsewhere both are kept, and where
   * they overlap the write is refused with a conflict (`merge`); or with one in any case (`manual`).
   */
  writeContent(
    id: string,
    write: { content: Types.Content; baseVersion: number; onConflict: 'merge' | 'manual' },
    lockToken: string | null = null,
  ): Promise<Types.WriteAnswer> {
    const { headers, body } = json(write)
    const call = { path: documentPath(id), headers: { ...headers, ...showing(lockToken) }, body }
    return this.#ask({ method: 'PUT', ...call }, shapes.writeAnswer)
  }

  /** The document as it was; rejects with `version-compacted` where that version is not kept by itself. */
  getVersion(id: string, version: number): Promise<Types.PastVersion> {
    return this.#ask({ method: 'GET', path: `${documentPath(id)}/versions/${version}` }, shapes.pastVersion)
  }

  /** Deletes the document as it is at `baseVersion`; its log stays (SPEC DOC-6). */
  async deleteDocument(id: string, baseVersion: number, lockToken: string | null = null): Promise<void> {
    const path = `${documentPath(id)}?${query({ baseVersion })}`
    await this.#ask({ method: 'DELETE', path, headers: showing(lockToken) }, nothing)
  }

  /** Versions without content, newest first. */
  listVersions(id: string, options: { cursor?: string } = {}): Promise<Types.Page<Types.ListedVersion>> {
    const search = query({ ...options, limit: PAGE_LIMIT })
    return this.#ask(
      { method: 'GET', path: `${documentPath(id)}/versions?${search}` },
      shapes.pageOf(shapes.listedVersion),
    )
  }

  /** Writes what a version held as a new version; of a deleted document, `baseVersion` is its last. */
  restoreVersion(
    id: string,
    version: number,
    baseVersion: number,
    lockToken: string | null = null,
  ): Promise<Types.WriteAnswer> {
    const wanted = { ...json({ version, baseVersion }) }
    const headers = { ...wanted.headers, ...showing(lockToken) }
    return this.#ask({ ...wanted, method: 'POST', path: `${documentPath(id)}/restore`, headers }, shapes.writeAnswer)
  }

  /** Who acted on the document, and what they are called; `sub` is one of them alone. */
  listPeople(id: string, options: { sub?: string } = {}): Promise<Types.Page<Types.Person>> {
    const search = query({ ...options, limit: PEOPLE_LIMIT })
    return this.#ask({ method: 'GET', path: `${documentPath(id)}/people?${search}` }, shapes.pageOf(shapes.person))
  }

  async getLock(id: string): Promise<Types.Lock | null> {
    return (await this.#ask({ method: 'GET', path: `${documentPath(id)}/lock` }, shapes.lockState)).lock
  }

  acquireLock(id: string, ttlSeconds: number): Promise<Types.OwnLock> {
    return this.#ask({ method: 'POST', path: `${documentPath(id)}/lock`, ...json({ ttlSeconds }) }, shapes.ownLock)
  }

  renewLock(id: string, lockToken: string): Promise<Types.OwnLock> {
    return this.#ask({ method: 'PUT', path: `${documentPath(id)}/lock`, headers: showing(lockToken) }, shapes.ownLock)
  }

  async releaseLock(id: string, lockToken: string): Promise<void> {
    await this.#ask({ method: 'DELETE', path: `${documentPath(id)}/lock`, headers: showing(lockToken) }, nothing)
  }

  /** Conflicts without contents, newest first; without `status` the open and the closed ones. */
  listConflicts(filter: {
    document: string
    status?: Types.ConflictStatus
    cursor?: string
  }): Promise<Types.Page<Types.ListedConflict>> {
    const search = query({ ...filter, limit: PAGE_LIMIT })
    return this.#ask({ method: 'GET', path: `/conflicts?${search}` }, shapes.pageOf(shapes.listedConflict))
  }

  getConflict(id: string): Promise<Types.Conflict> {
    return this.#ask({ method: 'GET', path: `/conflicts/${encodeURIComponent(id)}` }, shapes.conflict)
  }

  /** What a proposal would make of the document, as of its `baseVersion`. */
  getProposalContent(conflictId: string, proposalId: string, kind: Types.Kind): Promise<Types.Content> {
    const path = `/conflicts/${encodeURIComponent(conflictId)}/proposals/${encodeURIComponent(proposalId)}`
    return this.#ask({ method: 'GET', path, bare: kind === 'text' }, shapes.bareContent)
  }

  /** Resolves, proposes, accepts, rejects or dismisses, as the request says. */
  resolveConflict(request: Types.ResolutionRequest, lockToken: string | null = null): Promise<Types.ResolutionAnswer> {
    const wanted = json(request)
    const headers = { ...wanted.headers, ...showing(lockToken) }
    return this.#ask({ ...wanted, method: 'POST', path: '/resolve-conflict', headers }, shapes.resolutionAnswer)
  }

  async #ask<T>(call: Call, read: Reader<T>): Promise<T> {
    const bearer = await this.#token.current()
    const first = await this.#send(call, bearer)
    const response = first.status === 401 ? await this.#send(call, await this.#token.renew(bearer)) : first
    if (response.ok && call.bare === true) return read(await textOf(response), call.path)
    const body = await bodyOf(response)
    if (!response.ok) throw refusal(response.status, body)
    return read(body, call.path)
  }

  async #send(call: Call, bearer: string): Promise<Response> {
    const init: RequestInit = {
      method: call.method,
      headers: {
        ...call.headers,
        authorization: `Bearer ${bearer}`,
        accept: call.bare === true ? '*/*' : 'application/json',
      },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(call.body === undefined ? {} : { body: call.body }),
    }
    try {
      return await this.#fetch(this.#baseUrl + call.path, init)
    } catch (cause) {
      throw new UnreachableError('The server cannot be reached.', { cause })
    }
  }
}

const documentPath = (id: string): string => `/documents/${encodeURIComponent(id)}`

/** Where somebody holds a lock, their token goes with what they write. */
const showing = (lockToken: string | null): Record<string, string> =>
  lockToken === null ? {} : { 'lock-token': lockToken }

const nothing: Reader<null> = () => null

const json = (body: object): { headers: Record<string, string>; body: string } => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

function query(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) search.set(name, String(value))
  }
  return search.toString()
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await textOf(response)
  try {
    return text === '' ? null : (JSON.parse(text) as unknown)
  } catch (cause) {
    throw unreadable(response, cause)
  }
}

async function textOf(response: Response): Promise<string> {
  try {
    return await response.text()
  } catch (cause) {
    throw unreadable(response, cause)
  }
}

const unreadable = ({ status }: Response, cause: unknown): UnreachableError =>
  new UnreachableError(`The answer (${status}) could not be read.`, { cause })

/** A problem document becomes a ProblemError; anything else came from something in between. */
function refusal(status: number, body: unknown): Error {
  try {
    return new ProblemError(shapes.problem(body, 'problem'))
  } catch (cause) {
    return new UnreachableError(`The server answered ${status} without a problem document.`, { cause })
  }
}
