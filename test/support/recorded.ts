/**
 * What was answered in this worker, and what of it is not as the API description says (SPEC API-3). Light, because every
 * test file has it; what judges answers is loaded by those that have a server.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An answer as it went out. */
export interface SeenAnswer {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  /** Null: not known, as of a stream or of HEAD. */
  readonly body: string | null
}

/** Where each worker leaves what it saw; the end of the run reads it. */
export const SEEN_FOLDER_VARIABLE = 'SEEN_ANSWERS_FOLDER'

/** What is wrong with an answer; `name` is that of its route, null where it is no part of the API. */
export interface Judged {
  readonly name: string | null
  readonly code: string | null
  readonly wrong: readonly string[]
}

/** An API description that answers are judged by. */
export interface Judge {
  /** Every `operation status code` that is described. */
  readonly all: readonly string[]
  judge(answer: SeenAnswer): Judged
}

const seen = new Set<string>()
const described = new Set<string>()
const known = new WeakSet<Judge>()
/** By what is wrong: where that was seen first. */
const breaches = new Map<string, string>()

/** Judges an answer, and keeps what came of it. */
export function record(description: Judge, answer: SeenAnswer): void {
  const { name, code, wrong } = description.judge(answer)
  if (name !== null) seen.add(`${name} ${answer.status}${code === null ? '' : ` ${code}`}`)
  if (!known.has(description)) for (const one of description.all) described.add(one)
  known.add(description)
  for (const why of wrong) {
    const what = `${name ?? ''} ${answer.status}: ${why}`
    if (!breaches.has(what)) breaches.set(what, `${answer.method} ${answer.url.replace(/token=[^&]*/, 'token=…')}`)
  }
}

/** What was answered and is not as described, since it was last asked. */
export function takeBreaches(): string[] {
  const found = [...breaches].map(([what, where]) => `${what} (${where})`)
  breaches.clear()
  return found
}

/** Leaves what this worker saw since it was last told to where the end of the run looks for it. */
export function leaveSeen(): void {
  const folder = process.env[SEEN_FOLDER_VARIABLE]
  if (folder === undefined || seen.size === 0) return
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${process.pid}-${Math.random().toString(36).slice(2)}.json`)
  writeFileSync(file, JSON.stringify({ seen: [...seen], described: [...described] }))
  seen.clear()
}

/** Servers in processes of their own, with what they say of themselves. */
const origins = new Map<string, { description?: Promise<Judge | null> }>()

/** What is fetched from this server is recorded from now on. */
export const watchOrigin = (url: string): void => void origins.set(new URL(url).origin, {})

/** It has ended, and its port may be another server's next. */
export const leaveOrigin = (url: string): void => void origins.delete(new URL(url).origin)

let isRecording = false

/** Records what this process fetches from servers in processes of their own; files that share a process ask again. */
export function recordFetches(): void {
  if (isRecording) return
  isRecording = true
  const original = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const answer = await original(input, init)
    const url = new URL(typeof input === 'string' || input instanceof URL ? input : input.url)
    const origin = origins.get(url.origin)
    if (origin === undefined || /event-stream/.test(answer.headers.get('content-type') ?? '')) return answer
    const method = (init?.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
    const copy = answer.clone()
    origin.description ??= descriptionAt(original, url.origin)
    const description = await origin.description
    // It did not come: the server was about to end, or is busy. The next answer asks for it again.
    if (!description) delete origin.description
    const body = method === 'HEAD' || answer.status === 304 ? null : await copy.text().catch(() => null)
    const headers = Object.fromEntries(answer.headers)
    if (description)
      record(description, { method, url: url.pathname + url.search, status: answer.status, headers, body })
    return answer
  }
}

async function descriptionAt(fetched: typeof fetch, origin: string): Promise<Judge | null> {
  const { descriptionOf } = await import('./recorder.ts')
  return fetched(`${origin}/openapi.json`)
    .then((found) => found.json())
    .then(descriptionOf, () => null)
}
