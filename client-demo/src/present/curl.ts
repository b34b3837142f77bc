import type { Content, Kind } from '../parley/types.ts'

export interface CurlTarget {
  /** `http://localhost:4090` */
  readonly origin: string
  readonly token: string
  readonly id: string
  readonly kind: Kind
  /** The version the command writes on; it goes stale as soon as someone edits. */
  readonly etag: string
  readonly content: Content
}

/** Past this a command is no longer something to paste; the write becomes a patch. */
const LONGEST_PUT_CHARACTERS = 1_200
const MARK = 'written from outside'

/** A word for a POSIX shell. */
export const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

const header = (name: string, value: string): string => `-H ${quote(`${name}: ${value}`)}`
const BEARER = '-H "Authorization: Bearer $TOKEN"'
const lines = (...parts: readonly string[]): string => parts.join(' \\\n  ')

/** Sets what the other commands use. */
export const tokenCommand = (token: string): string => `TOKEN=${quote(token)}`

export function readCommand({ origin, id }: CurlTarget): string {
  return lines('curl -i', BEARER, quote(`${origin}/documents/${id}/content`))
}

/** What the write from outside sends: its first line (or a member) differs from what is there now. */
export function outsideWrite({ kind, content }: Pick<CurlTarget, 'kind' | 'content'>): {
  readonly method: 'PUT' | 'PATCH'
  readonly contentType: string
  readonly body: string
} {
  if (kind === 'text') {
    const text = typeof content === 'string' ? content : ''
    const [first = '', ...rest] = text.split('\n')
    return text.length <= LONGEST_PUT_CHARACTERS
      ? { method: 'PUT', contentType: 'text/plain; charset=utf-8', body: [marked(first), ...rest].join('\n') }
      : {
          method: 'PATCH',
          contentType: 'application/vnd.parley.delta+json',
          body: JSON.stringify([...(first === '' ? [] : [{ retain: first.length }]), { insert: ` (${MARK})` }]),
        }
  }
  return { method: 'PATCH', contentType: 'application/merge-patch+json', body: JSON.stringify({ note: MARK }) }
}

const marked = (line: string): string => (line === '' ? MARK : `${line} (${MARK})`)

/** A write on `etag`: applied while that is current, refused with 409 and a conflict once it is not. */
export function writeCommand(target: CurlTarget): string {
  const { method, contentType, body } = outsideWrite(target)
  return lines(
    `curl -i -X ${method}`,
    BEARER,
    header('If-Match', `"${target.etag}"`),
    header('Content-Type', contentType),
    `--data-binary ${quote(body)}`,
    quote(`${target.origin}/documents/${target.id}/content`),
  )
}

/** For the empty list: creates the first document. */
export function createCommand(origin: string): string {
  return lines(
    'curl -i',
    BEARER,
    header('Content-Type', 'application/json'),
    `-d ${quote(JSON.stringify({ id: 'notes', kind: 'text', content: 'Hello\n' }))}`,
    quote(`${origin}/documents`),
  )
}
