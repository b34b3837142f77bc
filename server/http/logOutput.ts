import type { LogFormat, LogLevel } from './logLevel.ts'

/** Where log lines go, each with its line break. */
export interface LogOutput {
  write(line: string): void
}

/** Pieces this long go out at once, so that what waits is bounded. */
const MAX_HELD_CHARACTERS = 64 * 1024

/** The lines of one turn of the event loop go out in one write, because a write costs more than making a line. */
class StandardOutput implements LogOutput {
  #held = ''

  constructor() {
    process.on('exit', () => this.#flush())
  }

  write(line: string): void {
    if (this.#held === '') setImmediate(() => this.#flush())
    this.#held += line
    if (this.#held.length > MAX_HELD_CHARACTERS) this.#flush()
  }

  #flush(): void {
    const lines = this.#held
    this.#held = ''
    if (lines !== '') process.stdout.write(lines)
  }
}

/** One of a process, for all its servers. */
export const standardOutput: LogOutput = new StandardOutput()

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
