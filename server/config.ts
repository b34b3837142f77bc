import { isLoopbackHost } from './access/loopback.ts'
import { MIN_SECRET_BYTES, SECRET_EXPECTED } from './access/tokens.ts'
import { ownStepIn } from './foundation/links.ts'
import { LOG_FORMATS, LOG_LEVELS } from './http/logLevel.ts'
import { parseOrigins } from './http/origins.ts'
import { LIVE_BYTES_PER_MINUTE, LIVE_MESSAGES_PER_MINUTE } from './limits/budget.ts'
import { parseNetworks } from './limits/addresses.ts'
import type { RateClass } from './limits/rates.ts'

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE
/** What a Node timer can wait; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
const MAX_RATE = 1_000_000_000

/** SPEC OPS-5: every setting, one row each. A value is read from the environment, or from the flag of the same name. */
function settings(read: Reader) {
  return {
    host: read.text('PARLEY_HOST', '127.0.0.1', 'Address to bind; any but a loopback one needs PARLEY_SECRET'),
    port: read.integer('PARLEY_PORT', 4090, [0, 65_535], 'Port to listen on; 0 picks a free one'),
    metricsPort: read.value('PARLEY_METRICS_PORT', null, {
      help: 'Port of `GET /metrics`, for the inside of a network: it asks for no token',
      expects: 'an integer from 1 to 65535',
      parse: (text) =>
        /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535 ? Number(text) : undefined,
    }),
    database: read.value('PARLEY_DATABASE', './parley.db', {
      help: 'SQLite file, made if absent',
      expects: 'the path of an SQLite file (PostgreSQL is not available yet)',
      parse: (text) => (text === '' || /^postgres(ql)?:/i.test(text) ? undefined : text),
    }),
    secret: read.value('PARLEY_SECRET', null, {
      help: 'Secret that signs tokens (HS256); prefer the environment, for flags show in process lists',
      expects: SECRET_EXPECTED,
      parse: (text) => (Buffer.byteLength(text) >= MIN_SECRET_BYTES ? text : undefined),
    }),
    secretPrevious: read.value('PARLEY_SECRET_PREVIOUS', null, {
      help: 'The secret before this one: what it signed still counts, and nothing new is signed with it',
      expects: SECRET_EXPECTED,
      parse: (text) => (Buffer.byteLength(text) >= MIN_SECRET_BYTES ? text : undefined),
    }),
    jwksUrl: read.value('PARLEY_JWKS_URL', null, {
      help: 'Key set of an identity provider, whose tokens count too (RS256, ES256, EdDSA)',
      expects: 'an absolute http or https URL without fragment or credentials',
      parse: parseKeySetUrl,
    }),
    issuer: read.value('PARLEY_ISSUER', null, {
      help: 'What `iss` of tokens signed by the key set must be',
      expects: 'a text that is not empty',
      parse: (text) => (text === '' ? undefined : text),
    }),
    audience: read.value('PARLEY_AUDIENCE', null, {
      help: 'What `aud` of a token must name',
      expects: 'a text that is not empty',
      parse: (text) => (text === '' ? undefined : text),
    }),
    publicUrl: read.value('PARLEY_PUBLIC_URL', null, {
      help: 'How clients reach this server, where not by the address it binds',
      expects: 'an absolute http or https URL without query, fragment or credentials',
      parse: parseBaseUrl,
    }),
    trustedProxies: read.value('PARLEY_TRUSTED_PROXIES', null, {
      help: 'Proxies whose `X-Forwarded-For` counts: addresses and CIDR ranges, as a comma list',
      expects: 'a comma list of IP addresses and CIDR ranges, like 10.0.0.0/8,::1',
      parse: parseNetworks,
    }),
    origins: read.value('PARLEY_ORIGINS', null, {
      help: 'Origins of pages that may call from browsers, separated by commas, besides our own; * is every one',
      expects: '* or origins separated by commas, each a scheme, a host and maybe a port, such as https://app.example',
      parse: parseOrigins,
    }),
    webhookPrivate: read.value('PARLEY_WEBHOOK_PRIVATE', false, {
      help: 'Whether webhooks may be on private and loopback addresses',
      expects: 'true or false',
      parse: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
    }),
    ...logs(read),
    ...rates(read),
    ...timeouts(read),
    ...limits(read),
  }
}

/** SPEC OPS-10. */
function logs(read: Reader) {
  return {
    logLevel: read.value('PARLEY_LOG_LEVEL', 'info', {
      help: `How much is logged: ${LOG_LEVELS.join(', ')}`,
      expects: `one of ${LOG_LEVELS.join(', ')}`,
      parse: (text) => LOG_LEVELS.find((level) => level === text),
    }),
    logFormat: read.value('PARLEY_LOG_FORMAT', null, {
      help: `How a line of the log looks: ${LOG_FORMATS.join(' or ')}; not set: pretty at a terminal, else json`,
      expects: LOG_FORMATS.join(' or '),
      parse: (text) => LOG_FORMATS.find((format) => format === text),
    }),
  }
}

/** SPEC RATE-1. Programs that do one thing after the other, and people with many tabs, stay far below. */
function rates(read: Reader) {
  const rate = (rateClass: RateClass, perMinute: number): number =>
    read.integer(
      `PARLEY_RATE_${rateClass.toUpperCase()}`,
      perMinute,
      [0, MAX_RATE],
      `Tokens a minute for each principal's requests of the class ${rateClass}; 0 is no limit`,
    )
  return {
    ratesPerMinute: {
      read: rate('read', 6_000),
      write: rate('write', 3_000),
      resolve: rate('resolve', 600),
      connect: rate('connect', 1_200),
      token: rate('token', 600),
    },
    maxConnections: read.integer(
      'PARLEY_MAX_CONNECTIONS',
      1_000,
      [0, MAX_RATE],
      'Sockets and streams of one principal that may be open at once; 0 is no limit',
    ),
    liveMessagesPerMinute: read.integer(
      'PARLEY_RATE_LIVE_MESSAGES',
      LIVE_MESSAGES_PER_MINUTE,
      [0, MAX_RATE],
      'Messages a minute from one connection of live editing; 0 is no limit',
    ),
    liveBytesPerMinute: read.integer(
      'PARLEY_RATE_LIVE_BYTES',
      LIVE_BYTES_PER_MINUTE,
      [0, Number.MAX_SAFE_INTEGER],
      'Bytes a minute from one connection of live editing; 0 is no limit',
    ),
  }
}

/** SPEC OPS-9. */
function timeouts(read: Reader) {
  return {
    headersTimeoutMs: read.integer(
      'PARLEY_HEADERS_TIMEOUT_MS',
      20_000,
      [100, MAX_TIMER_MS],
      'For the headers of a request to arrive, in milliseconds',
    ),
    requestTimeoutMs: read.integer(
      'PARLEY_REQUEST_TIMEOUT_MS',
      300_000,
      [100, MAX_TIMER_MS],
      'For a whole request to arrive, in milliseconds: the largest body still comes on 2 Mbit/s',
    ),
    idleTimeoutMs: read.integer(
      'PARLEY_IDLE_TIMEOUT_MS',
      120_000,
      [65_000, MAX_TIMER_MS],
      'For anything to move on a connection of HTTP, in milliseconds; an answer may be waited for, silently, for 60 s',
    ),
  }
}

/** The limits that SPEC names, each with its unit in its name. */
function limits(read: Reader) {
  return {
    maxContentBytes: read.integer(
      'PARLEY_MAX_CONTENT_BYTES',
      10 * MEBIBYTE,
      [KIBIBYTE, 64 * MEBIBYTE],
      'Largest content of a document, in bytes of UTF-8',
    ),
    maxContentDepth: read.integer(
      'PARLEY_MAX_CONTENT_DEPTH',
      64,
      [1, 256],
      'Deepest nesting of a json document; its root is 1',
    ),
    maxContentNodes: read.integer(
      'PARLEY_MAX_CONTENT_NODES',
      100_000,
      [1, 10_000_000],
      'Most nodes of a json document',
    ),
    replicaIdleMs: read.integer(
      'PARLEY_REPLICA_IDLE_MS',
      30_000,
      [0, MAX_TIMER_MS],
      'How long a document without sessions stays in memory, in milliseconds',
    ),
    replicaBudgetBytes: read.integer(
      'PARLEY_REPLICA_BUDGET_BYTES',
      256 * MEBIBYTE,
      [MEBIBYTE, Number.MAX_SAFE_INTEGER],
      'Memory for all documents together, in bytes; the least recently used leave first',
    ),
    concurrentEditWindowMs: read.integer(
      'PARLEY_CONCURRENT_EDIT_WINDOW_MS',
      2_000,
      [0, 60_000],
      'Live edits made without knowledge of what is younger than this raise no conflict, in milliseconds',
    ),
    transactionIdleMs: read.integer(
      'PARLEY_TRANSACTION_IDLE_MS',
      60_000,
      [1, MAX_TIMER_MS],
      'How long a staged transaction waits for its owner before it expires, in milliseconds',
    ),
    eventRetentionDays: read.integer(
      'PARLEY_EVENT_RETENTION_DAYS',
      7,
      [1, 3650],
      'How long events are kept and can be resumed from, in days',
    ),
    compactionAgeSeconds: read.integer(
      'PARLEY_COMPACTION_AGE_SECONDS',
      24 * 3600,
      [0, 3650 * 24 * 3600],
      'How old live edits are before those of one author within five minutes become one version, in seconds',
    ),
    compactionIntervalSeconds: read.integer(
      'PARLEY_COMPACTION_INTERVAL_SECONDS',
      600,
      [1, 24 * 3600],
      'How often it is looked for logs to compact, in seconds',
    ),
    conflictRetentionDays: read.integer(
      'PARLEY_CONFLICT_RETENTION_DAYS',
      90,
      [1, 3650],
      'How long closed conflicts are kept, in days',
    ),
  }
}

export interface Config extends Readonly<ReturnType<typeof settings>> {
  /** Bound to loopback and without a secret of its own: the demo page may hand itself guest tokens (SPEC AUTH-5). */
  readonly development: boolean
}

/** One row as `parley serve --help` shows it. */
export interface SettingRow {
  /** `PARLEY_MAX_CONTENT_BYTES` */
  readonly variable: string
  /** `--max-content-bytes` */
  readonly flag: string
  readonly help: string
}

type Variables = Readonly<Record<string, string | undefined>>

/** Every setting, for the command line. */
export function settingRows(): readonly SettingRow[] {
  const reader = new Reader({})
  settings(reader)
  return reader.rows
}

/**
 * The configuration in these variables, or one line for the person who started the server that says what is wrong:
 * an unknown `PARLEY_*` name, a malformed value, one port for two things, a public path that could be one of the API
 * (SPEC API-7), or a bind address that needs a secret (SPEC AUTH-5).
 */
export function readConfig(variables: Variables): { readonly config: Config } | { readonly problem: string } {
  const reader = new Reader(variables)
  const values = settings(reader)
  const known = new Set(reader.rows.map((row) => row.variable))
  const unknown = Object.keys(variables).find((name) => name.startsWith('PARLEY_') && !known.has(name))
  if (unknown !== undefined) return { problem: `${unknown} is not a setting; \`parley serve --help\` lists them all` }
  const [problem] = reader.problems
  if (problem !== undefined) return { problem }
  const loopback = isLoopbackHost(values.host)
  if (!loopback && values.secret === null) {
    return {
      problem: `PARLEY_HOST ${values.host} is not a loopback address, so PARLEY_SECRET must be set, ${SECRET_EXPECTED}`,
    }
  }
  if (values.metricsPort !== null && values.metricsPort === values.port) {
    return { problem: `PARLEY_METRICS_PORT must be another port than PARLEY_PORT ${values.port}` }
  }
  const ownStep = values.publicUrl === null ? null : ownStepIn(values.publicUrl)
  if (ownStep !== null) {
    return {
      problem: `PARLEY_PUBLIC_URL must not have a path that begins with ${ownStep}, which is a path of the API`,
    }
  }
  return { config: { ...values, development: loopback && values.secret === null } }
}

/** Reads settings one by one and keeps what it learnt on the way: their rows, and what was malformed. */
class Reader {
  readonly rows: SettingRow[] = []
  readonly problems: string[] = []
  readonly #variables: Variables

  constructor(variables: Variables) {
    this.#variables = variables
  }

  /** `parse` answers undefined for a malformed value; `expects` completes "PARLEY_X must be …". */
  value<T, D extends T | null>(
    variable: string,
    fallback: D,
    kind: { readonly help: string; readonly expects: string; readonly parse: (text: string) => T | undefined },
  ): T | D {
    const flag = `--${variable.slice('PARLEY_'.length).toLowerCase().replaceAll('_', '-')}`
    const shown = fallback === null ? 'not set' : `default ${String(fallback)}`
    this.rows.push({ variable, flag, help: `${kind.help} (${variable}, ${shown})` })
    const text = this.#variables[variable]
    if (text === undefined) return fallback
    const parsed = kind.parse(text)
    if (parsed !== undefined) return parsed
    this.problems.push(`${variable} must be ${kind.expects}`)
    return fallback
  }

  text(variable: string, fallback: string, help: string): string {
    const parse = (text: string): string | undefined => (text === '' ? undefined : text)
    return this.value(variable, fallback, { help, expects: 'a text that is not empty', parse })
  }

  integer(variable: string, fallback: number, [minimum, maximum]: readonly [number, number], help: string): number {
    const expects = `an integer from ${minimum} to ${maximum}`
    const parse = (text: string): number | undefined => {
      const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
      return number >= minimum && number <= maximum ? number : undefined
    }
    return this.value(variable, fallback, { help, expects, parse })
  }
}

function parseKeySetUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, hash, username, password } = new URL(text)
  return /^https?:$/.test(protocol) && hash + username + password === '' ? text : undefined
}

/** Without a final slash, for paths are appended. */
function parseBaseUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const plain = url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (!plain || !['http:', 'https:'].includes(url.protocol)) return undefined
  return url.origin + url.pathname.replace(/\/+$/, '')
}
