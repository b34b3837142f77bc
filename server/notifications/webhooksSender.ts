import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Environment } from '../foundation/environment.ts'
import { isPrivateHost, publicLookup } from './webhooksAddress.ts'

/** What is posted, once. */
export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What came of it: the status of an answer, or why there was none. */
export type PostOutcome =
  | { readonly status: number; readonly retryAfter?: string | undefined }
  | { readonly error: string }

/** Posts once; never rejects. When the signal aborts it ends without an answer. */
export type Send = (post: Post, signal: AbortSignal) => Promise<PostOutcome>

/** From the look-up of the name to the end of the answer; Standard Webhooks suggests 15 to 30 s. */
const TIMEOUT_MS = 15_000
/** Nothing of an answer's body is used; reading a little of it lets a receiver finish in peace. */
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_HEADER_BYTES = 16 * 1024

export interface SenderParts {
  readonly environment: Environment
  /** Whether receivers may be on private addresses (`PARLEY_WEBHOOK_PRIVATE`). */
  readonly allowPrivate: boolean
  readonly lookup?: LookupFunction
}

/** Posts by HTTP/1.1 over a connection of its own, whose address is checked. Redirects are answers like any other. */
export function httpSender({ environment, allowPrivate, lookup = publicLookup() }: SenderParts): Send {
  return (post, signal) =>
    new Promise((resolve) => {
      const url = new URL(post.url)
      if (!allowPrivate && isPrivateHost(url.hostname)) {
        // A literal address is connected to without a look-up.
        resolve({ error: 'The address is not public.' })
        return
      }
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        headers: { ...post.headers, 'Content-Length': Buffer.byteLength(post.body) },
        agent: false,
        maxHeaderSize: MAX_HEADER_BYTES,
        ...(allowPrivate ? {} : { lookup }),
      })
      let outcome: PostOutcome | null = null
      const fail = (error: string): void => {
        // The first reason counts: what comes later is how the connection was ended for it.
        outcome ??= { error }
        request.destroy()
      }
      const timer = environment.after(TIMEOUT_MS, () => fail('No answer came in time.'))
      const abort = (): void => fail('The server is stopping.')
      signal.addEventListener('abort', abort)
      request.once('response', (response) => {
        outcome ??= { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > MAX_ANSWER_BYTES) response.destroy()
        })
        response.on('error', () => undefined)
      })
      request.on('error', (error) => fail(describe(error)))
      request.once('close', () => {
        timer.cancel()
        signal.removeEventListener('abort', abort)
        resolve(outcome ?? { error: 'The connection was closed without an answer.' })
      })
      if (signal.aborted) abort()
      else request.end(post.body)
    })
}

/** For the owner of the webhook to read; a code says enough and nothing of this server's network. */
function describe(error: NodeJS.ErrnoException): string {
  if (error.code === 'address-refused') return 'The name leads to no public address.'
  return `The connection failed (${error.code ?? error.name}).`
}
