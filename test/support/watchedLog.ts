import type { LogOutput } from '../../server/http/logOutput.ts'

/** Every token is a JWT, whose first part is the base64 of `{"…`; every secret of a webhook has its prefix. */
const SECRET = /eyJ[\w-]{8,}\.|whsec_|\b[Bb]earer /
const WARN = 40
/** Shorter ones could stand in a line by chance. */
const MIN_CONTENT = 10
/** A line may show the beginning of one only. */
const CONTENT_PIECE = 24
/** Each is looked for in each line that may hold one. */
const MAX_CONTENTS = 2_000
/** Members of requests and answers in which documents say something. */
const SAYING = new Set(['content', 'insert', 'value', 'comment', 'label'])
/** Members of lines whose form leaves no room for a content, and ids, which the tests choose themselves. */
const PLAIN = new Set([
  ...['level', 'time', 'pid', 'hostname', 'reqId', 'method', 'route', 'path', 'status', 'problem', 'ms'],
  ...['document', 'conflict', 'principal', 'close', 'version', 'url', 'database', 'guests', 'job'],
])

const lockTokens = new Set<string>()
const contents = new Set<string>()
const leaks: string[] = []

/** Told of the token of each lock that a test server gave out. */
export const noteLockToken = (token: string): void => void lockTokens.add(token)

/** Told of what tests sent and got: what it has of contents of documents is in no line from now on. */
export function noteContents(value: unknown, says = false): void {
  if (contents.size >= MAX_CONTENTS) return
  if (typeof value === 'string') {
    if (says && value.length >= MIN_CONTENT) contents.add(value.slice(0, CONTENT_PIECE))
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) noteContents(member, says || SAYING.has(name))
  }
}

/** The lines with secrets or contents in them, of all servers of this file, since it was asked last. */
export function takeLeaks(): string[] {
  contents.clear()
  return leaks.splice(0)
}

/** Whether a line of a log holds what none may hold (SPEC OPS-10). */
export function watchLine(line: string): void {
  const isSecret = SECRET.test(line) || Array.from(lockTokens).some((token) => line.includes(token))
  if (isSecret || holdsContent(line)) leaks.push(line)
}

function holdsContent(line: string): boolean {
  const said = Object.entries(JSON.parse(line)).flatMap(([name, value]) =>
    PLAIN.has(name) || (name === 'msg' && value === 'request') ? [] : textsIn(value),
  )
  return said.length > 0 && Array.from(contents).some((content) => said.some((text) => text.includes(content)))
}

const textsIn = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

/** SPEC OPS-10: the log of test servers, which looks into every line and shows what is to be looked at. */
export const watchedLog: LogOutput = {
  write(line) {
    watchLine(line)
    const level: unknown = Reflect.get(JSON.parse(line), 'level')
    if (Number(level) >= WARN) process.stdout.write(line)
  },
}
