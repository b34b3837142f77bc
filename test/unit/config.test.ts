import { describe, expect, it } from 'vitest'
import { isLoopbackHost } from '../../server/access/loopback.ts'
import { readConfig, settingRows } from '../../server/config.ts'

const SECRET = 'x'.repeat(32)

function problemOf(variables: Record<string, string>): string {
  const result = readConfig(variables)
  return 'problem' in result ? result.problem : 'accepted'
}

function configOf(variables: Record<string, string>) {
  const result = readConfig(variables)
  if ('problem' in result) throw new Error(result.problem)
  return result.config
}

describe('configuration', () => {
  it('[OPS-5] has the defaults the specification names', () => {
    expect(configOf({ HOME: '/root' })).toEqual({
      host: '127.0.0.1',
      port: 4090,
      database: './parley.db',
      secret: null,
      audience: null,
      publicUrl: null,
      origins: null,
      logLevel: 'info',
      logFormat: null,
      webhookPrivate: false,
      maxContentBytes: 10 * 1024 * 1024,
      maxContentDepth: 64,
      maxContentNodes: 100_000,
      metricsPort: null,
      secretPrevious: null,
      jwksUrl: null,
      issuer: null,
      trustedProxies: null,
      ratesPerMinute: { read: 6_000, write: 3_000, resolve: 600, connect: 1_200, token: 600 },
      maxConnections: 1_000,
      headersTimeoutMs: 20_000,
      requestTimeoutMs: 300_000,
      idleTimeoutMs: 120_000,
      liveMessagesPerMinute: 60_000,
      liveBytesPerMinute: 120 * 1024 * 1024,
      replicaIdleMs: 30_000,
      transactionIdleMs: 60_000,
      replicaBudgetBytes: 256 * 1024 * 1024,
      concurrentEditWindowMs: 2_000,
      eventRetentionDays: 7,
      compactionAgeSeconds: 86_400,
      compactionIntervalSeconds: 600,
      conflictRetentionDays: 90,
      development: true,
    })
  })

  it('[OPS-5] reads every setting', () => {
    const config = configOf({
      PARLEY_HOST: '0.0.0.0',
      PARLEY_PORT: '0',
      PARLEY_DATABASE: '/var/lib/parley/x.db',
      PARLEY_SECRET: SECRET,
      PARLEY_AUDIENCE: 'parley',
      PARLEY_PUBLIC_URL: 'https://docs.example/parley/',
      PARLEY_LOG_LEVEL: 'debug',
      PARLEY_LOG_FORMAT: 'pretty',
      PARLEY_MAX_CONTENT_BYTES: '2048',
      PARLEY_REPLICA_IDLE_MS: '0',
    })
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 0,
      database: '/var/lib/parley/x.db',
      secret: SECRET,
      audience: 'parley',
      publicUrl: 'https://docs.example/parley',
      logLevel: 'debug',
      logFormat: 'pretty',
      maxContentBytes: 2048,
      replicaIdleMs: 0,
      development: false,
    })
  })

  it.each(['PARLEY_PROT', 'PARLEY_', 'PARLEY_port', 'PARLEY_DEVELOPMENT', 'PARLEY_HOST_'])(
    '[OPS-5] an unknown name stops the start: %s',
    (name) => {
      expect(problemOf({ [name]: 'x' })).toBe(`${name} is not a setting; \`parley serve --help\` lists them all`)
    },
  )

  it.each([
    ['PARLEY_PORT', ['', '-1', '65536', '80.5', '0x50', '1e3', 'http', ' 80']],
    ['PARLEY_HOST', ['']],
    ['PARLEY_DATABASE', ['', 'postgres://localhost/x', 'PostgreSQL://x']],
    ['PARLEY_SECRET', ['', 'x'.repeat(31)]],
    ['PARLEY_AUDIENCE', ['']],
    ['PARLEY_PUBLIC_URL', ['', 'docs.example', '/x', 'ftp://x', 'https://x/?a=1', 'https://x/#a', 'https://u:p@x/']],
    ['PARLEY_LOG_LEVEL', ['', 'INFO', 'verbose']],
    ['PARLEY_LOG_FORMAT', ['', 'JSON', 'text']],
    ['PARLEY_WEBHOOK_PRIVATE', ['', '1', 'yes', 'TRUE']],
    ['PARLEY_MAX_CONTENT_BYTES', ['0', '10MiB', '99999999999999999999']],
    ['PARLEY_MAX_CONTENT_DEPTH', ['0', '1000000']],
    ['PARLEY_REPLICA_IDLE_MS', ['-1', '2147483648']],
    ['PARLEY_HEADERS_TIMEOUT_MS', ['', '0', '20s', '2147483648']],
    ['PARLEY_IDLE_TIMEOUT_MS', ['60000']],
    ['PARLEY_RATE_WRITE', ['', '-1', '0.5', '1000000001', 'off']],
    ['PARLEY_TRUSTED_PROXIES', ['', 'proxy.example', '10.0.0.0/33', '10.0.0.1,', '10.0.0.1;10.0.0.2', '*']],
  ])('[OPS-5] a malformed %s stops the start with one line that names it', (name, values) => {
    for (const value of values) {
      const problem = problemOf({ [name]: value })
      expect(problem, value).toMatch(new RegExp(`^${name} must be .+[^.\n]$`))
    }
  })

  it('[OPS-5] says that PostgreSQL is not there yet, and shows no secret', () => {
    expect(problemOf({ PARLEY_DATABASE: 'postgres://x' })).toContain('not available yet')
    expect(problemOf({ PARLEY_SECRET: 'too-short-a-secret' })).not.toContain('too-short-a-secret')
  })

  it('[OPS-5] counts a secret in bytes', () => {
    expect(configOf({ PARLEY_SECRET: 'ä'.repeat(16) }).secret).toBe('ä'.repeat(16))
    expect(problemOf({ PARLEY_SECRET: 'ä'.repeat(15) })).toContain('PARLEY_SECRET')
  })

  it('[OPS-5] has a flag of the same name for each setting, with its default and unit', () => {
    const rows = settingRows()
    expect(rows.find((row) => row.variable === 'PARLEY_MAX_CONTENT_BYTES')).toEqual({
      variable: 'PARLEY_MAX_CONTENT_BYTES',
      flag: '--max-content-bytes',
      help: 'Largest content of a document, in bytes of UTF-8 (PARLEY_MAX_CONTENT_BYTES, default 10485760)',
    })
    for (const { variable, flag } of rows)
      expect(flag.slice(2).replaceAll('-', '_').toUpperCase()).toBe(variable.slice(7))
    expect(new Set(rows.map((row) => row.flag)).size).toBe(rows.length)
  })

  it.each([
    '0.0.0.0',
    '::',
    '192.168.0.1',
    '10.0.0.1',
    '::ffff:10.0.0.1',
    'example.com',
    'localhost.example.com',
    '128.0.0.1',
  ])('[AUTH-5] binding to %s needs a secret', (host) => {
    expect(problemOf({ PARLEY_HOST: host })).toContain('PARLEY_SECRET must be set')
    expect(configOf({ PARLEY_HOST: host, PARLEY_SECRET: SECRET }).development).toBe(false)
  })

  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost', 'LocalHost', '::ffff:127.0.0.1'])(
    '[AUTH-5] binding to %s needs none',
    (host) => {
      expect(configOf({ PARLEY_HOST: host }).development).toBe(true)
      expect(configOf({ PARLEY_HOST: host, PARLEY_SECRET: SECRET }).development).toBe(false)
    },
  )

  it('[AUTH-5] takes no other way of writing an address for a loopback one', () => {
    for (const host of ['127.1', '0177.0.0.1', '2130706433', '0x7f000001', '[::1]', '', 'local host']) {
      expect(isLoopbackHost(host), host).toBe(false)
    }
  })
})
