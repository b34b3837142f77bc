import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { CannotOpenStorage } from '../storage/cannotOpenStorage.ts'

/** Where a server listens, and where for metrics; null: nowhere. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly metricsPort: number | null
}

/** What whoever started a server wants to know of it. */
export interface Started {
  readonly version: string
  readonly url: string
  readonly database: string
  /** Whether the page hands itself tokens (SPEC AUTH-5). */
  readonly letsGuestsIn: boolean
}

/**
 * Rejects as listening there would, before anything is opened: a start that cannot come about leaves no database behind.
 * Somebody may take the port a moment later; then the start fails all the same.
 */
export async function assertFree({ host, port, metricsPort }: ListenAddress): Promise<void> {
  await listenOnce(host, port)
  if (metricsPort !== null) await listenOnce(host, metricsPort)
}

function listenOnce(host: string, port: number): Promise<void> {
  const probe = createServer()
  return new Promise((free, reject) => {
    probe.once('error', reject)
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => free()))
  })
}

/** One line for a person: what kept the server from starting, by the name of the setting, and what to do. */
export function whyNotStarted(error: unknown, { host, port, metricsPort }: ListenAddress): string {
  if (error instanceof CannotOpenStorage) return `${error.message} (PARLEY_DATABASE names the file.)`
  const isForMetrics = metricsPort !== null && factOf(error, 'port') === metricsPort
  const setting = isForMetrics ? `PARLEY_METRICS_PORT ${metricsPort}` : `PARLEY_PORT ${port}`
  switch (factOf(error, 'code')) {
    case 'EADDRINUSE':
      return `${setting} is taken on ${host} by another program. Stop that, or choose another port${isForMetrics ? '' : '; 0 picks a free one'}.`
    case 'EACCES':
      return `${setting} is not for this user. Choose a port above 1023.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `PARLEY_HOST ${host} is no address of this machine.`
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

const factOf = (error: unknown, name: 'code' | 'port'): unknown =>
  error instanceof Error ? Reflect.get(error, name) : undefined

/** For a person: what to open, where things are, how to end it. The first line names the URL (SPEC OPS-5). */
export function welcome({ version, url, database, letsGuestsIn }: Started): string {
  const guests = letsGuestsIn
    ? 'are let in: this is a development server, which only this machine reaches; set PARLEY_SECRET to end that'
    : 'are not let in; `parley token --help` tells how to make a token'
  return [
    `parley ${version} is listening on ${url}`,
    `  try it    open ${url} in two windows`,
    `  database  ${resolve(database)}`,
    `  guests    ${guests}`,
    `  stop      Ctrl+C`,
    '',
  ].join('\n')
}

/** The same for a program: one line, of the form of the log. */
export function startedLine({ version, url, database, letsGuestsIn }: Started, at: number, pid: number): string {
  const facts = { version, url, database: resolve(database), guests: letsGuestsIn }
  return `${JSON.stringify({ level: 30, time: at, pid, ...facts, msg: `listening on ${url}` })}\n`
}
