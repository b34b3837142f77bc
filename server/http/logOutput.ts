import type { Writable } from 'node:stream'
import type { LogFormat, LogLevel } from './logLevel.ts'

/** Where log lines go, each with its line break. */
export interface LogOutput {
  write(line: string): void
}

/** Pieces this long go out at once, so that a turn with very many lines holds few of them. */
const MAX_HELD_CHARACTERS = 64 * 1024
/** What waits for whoever takes the log: a pause of some seconds at thousands of refusals a second. */
const MAX_UNTAKEN_CHARACTERS = 4 * 1024 * 1024
/** A reader that is gone costs one failed write in so long, and a disk that has room again is noticed as soon. */
const RETRY_MS = 1_000

/** Lines that go out together; `told` were lost before, and one of these says so. */
interface HeldLines {
  readonly text: string
  readonly lines: number
  readonly told: number
}
const NOTHING: HeldLines = { text: '', lines: 0, told: 0 }

/**
 * A stream that takes a log (SPEC OPS-10). The lines of one turn of the event loop go out in one write, because a write costs
 * more than making a line. Whoever takes them, or does not, stops nobody: what cannot be written, and what is past a bound
 * of what waits, is lost, and a line says how many once one can be written again. What Node says is written counts as such:
 * of a file it does not tell that a full disk took a part alone.
 */
export class StreamOutput implements LogOutput {
  readonly #stream: Writable
  readonly #monotonicMs: () => number
  #held = NOTHING
  #lost = 0
  /** Of the lost ones those that no line has told of yet. */
  #untold = 0
  #failedMs = Number.NEGATIVE_INFINITY
  /** The last write that ended failed: of the one before it a part may be there, for a disk that fills tears what is written. */
  #isTorn = false

  constructor(stream: Writable, monotonicMs: () => number = () => performance.now()) {
    this.#stream = stream
    this.#monotonicMs = monotonicMs
    // Each write that failed is told of it by itself; without a listener the error would end the process.
    stream.on('error', () => undefined)
  }

  /** Lines that nobody got, so far. */
  get lost(): number {
    return this.#lost
  }

  write(line: string): void {
    if (!this.#takesMore()) {
      this.#lost += 1
      this.#untold += 1
      return
    }
    if (this.#held === NOTHING) setImmediate(() => this.flush())
    const { text, lines, told } = this.#held
    const loss = this.#untold === 0 ? '' : (this.#isTorn ? '\n' : '') + lossLine(this.#untold, line)
    this.#held = { text: text + loss + line, lines: lines + 1, told: told + this.#untold }
    this.#untold = 0
    if (this.#held.text.length > MAX_HELD_CHARACTERS) this.flush()
  }

  /** Hands over what waits for the end of the turn. */
  flush(): void {
    const { text, lines, told } = this.#held
    this.#held = NOTHING
    if (text === '') return
    this.#stream.write(text, (error) => {
      this.#isTorn = Boolean(error)
      if (!error) return
      this.#failedMs = this.#monotonicMs()
      this.#lost += lines
      this.#untold += lines + told
    })
  }

  #takesMore(): boolean {
    const untaken = this.#held.text.length + this.#stream.writableLength
    return untaken <= MAX_UNTAKEN_CHARACTERS && this.#monotonicMs() - this.#failedMs >= RETRY_MS
  }
}

/** In the format of the line that comes after it. */
function lossLine(lost: number, next: string): string {
  const facts = {
    level: 40,
    time: Date.now(),
    pid: process.pid,
    lost,
    msg: 'lines of the log were lost: nobody took them, or they could not be written',
  }
  const line = `${JSON.stringify(facts)}\n`
  return next.startsWith('{') ? line : prettyLine(line)
}

/** One of a process, for all its servers. */
export const standardOutput = new StreamOutput(process.stdout)
process.on('exit', () => standardOutput.flush())

/** What is set, or else what suits whoever looks on: a person at a terminal, or a program. */
export const formatFor = (format: LogFormat | null): LogFormat => format ?? (process.stdout.isTTY ? 'pretty' : 'json')

/** An output that is handed lines of JSON and writes them in this format. */
export const inFormat = (format: LogFormat, output: LogOutput): LogOutput =>
  format === 'json' ? output : { write: (line) => output.write(prettyLine(line)) }

const LEVEL_NAMES: Readonly<Record<number, LogLevel | 'fatal'>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** For a person: when, how grave, what, and then the facts by name; the stack of an error below. */
export function prettyLine(line: string): string {
  const { level, time, pid: _pid, hostname: _hostname, msg, err, ...facts } = membersOf(line)
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const grade = (LEVEL_NAMES[Number(level)] ?? String(level)).padEnd(5)
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${factText(value)}`)
  const stack = membersOf(JSON.stringify(err ?? {}))['stack']
  const below = typeof stack === 'string' ? `\n${printable(stack)}` : ''
  return `${clock} ${grade} ${[printable(String(msg)), ...shown].join('  ')}${below}\n`
}

function membersOf(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line)
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function factText(value: unknown): string {
  const text = typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  return printable(text)
}

/** A terminal obeys control characters, and some of a line is what clients sent. */
const printable = (text: string): string =>
  text.replaceAll(/[^\P{C}\n]/gu, (one) => `\\u{${one.codePointAt(0)?.toString(16) ?? ''}}`)
