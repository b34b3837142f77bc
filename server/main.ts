#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander'
import { parseAccess, type Permission } from './access/access.ts'
import { MAX_TTL_SECONDS, MIN_SECRET_BYTES, SECRET_EXPECTED, SUBJECT_PATTERN, TokenIssuer } from './access/tokens.ts'
import { readConfig, settingRows } from './config.ts'
import { systemEnvironment } from './foundation/environment.ts'
import type { LogFormat } from './http/logLevel.ts'
import { formatFor, inFormat, standardOutput } from './http/logOutput.ts'
import { VERSION } from './http/version.ts'
import { stopOnSignals } from './operations/drain.ts'
import { assertFree, startedLine, welcome, whyNotStarted } from './operations/start.ts'

/** A token for trying things out; long enough for a day's work. */
const DEFAULT_TTL_SECONDS = 24 * 3600

const program = new Command('parley')
  .description('Documents that people edit live and programs write over REST.')
  .version(VERSION)
program.addCommand(serveCommand()).addCommand(tokenCommand())
await program.parseAsync()

function serveCommand(): Command {
  const command = new Command('serve').description('start the server; every option may be set by environment instead')
  const rows = settingRows()
  for (const { flag, help } of rows) command.option(`${flag} <value>`, help)
  return command.action(async () => {
    const flags = rows.map(({ variable, flag }) => [variable, flagValue(command, flag)] as const)
    const given = flags.filter(([, value]) => value !== undefined)
    await serve({ ...process.env, ...Object.fromEntries(given) })
  })
}

function flagValue(command: Command, flag: string): string | undefined {
  const attribute = command.options.find((option) => option.long === flag)?.attributeName()
  const value: unknown = attribute === undefined ? undefined : command.opts()[attribute]
  return typeof value === 'string' ? value : undefined
}

async function serve(variables: Readonly<Record<string, string | undefined>>): Promise<void> {
  const result = readConfig(variables)
  if ('problem' in result) fail(result.problem)
  const { config } = result
  try {
    await assertFree(config)
    // Loaded only now: the other commands need neither storage nor sockets.
    const { startApp } = await import('./app.ts')
    const app = await startApp(config, systemEnvironment)
    const format = formatFor(config.logFormat)
    stopOnSignals(
      process,
      systemEnvironment,
      () => app.stop(),
      (line) => say(format, line),
    )
    const { url } = app
    const started = { version: VERSION, url, database: config.database, letsGuestsIn: config.development }
    standardOutput.write(format === 'pretty' ? welcome(started) : startedLine(started, Date.now(), process.pid))
  } catch (error) {
    fail(whyNotStarted(error, config))
  }
}

function tokenCommand(): Command {
  return new Command('token')
    .description('print a token signed with PARLEY_SECRET')
    .requiredOption('--sub <sub>', 'who the token is for', parseSubject)
    .requiredOption(
      '--access <pattern=permissions>',
      "what they may do, as 'team:*=read,write'; repeatable",
      collectAccess,
    )
    .option('--ttl-seconds <seconds>', 'how long it is valid', parseTtl, DEFAULT_TTL_SECONDS)
    .option('--name <name>', 'what to call them', parseSubject)
    .action(async (options: { sub: string; access: AccessClaim; ttlSeconds: number; name?: string }) => {
      const secret = Buffer.from(process.env['PARLEY_SECRET'] ?? '')
      if (secret.length < MIN_SECRET_BYTES) fail(`PARLEY_SECRET must be ${SECRET_EXPECTED}`)
      const audience = process.env['PARLEY_AUDIENCE'] ?? null
      const issuer = new TokenIssuer({ secret, audience, environment: systemEnvironment })
      const { token } = await issuer.issue(options)
      process.stdout.write(`${token}\n`)
    })
}

type AccessClaim = Record<string, Permission[]>

/** Permissions given for one pattern several times add up. */
function collectAccess(text: string, before: AccessClaim = {}): AccessClaim {
  const [, pattern = '', list = ''] = /^([^=]*)=(.*)$/.exec(text) ?? []
  const [grant] = parseAccess({ [pattern]: list.split(',') }) ?? []
  if (!grant) throw new InvalidArgumentError("It is a pattern and its permissions, as 'team:*=read,write'.")
  return { ...before, [pattern]: [...(before[pattern] ?? []), ...grant.permissions] }
}

function parseSubject(text: string): string {
  if (!new RegExp(SUBJECT_PATTERN, 'u').test(text)) {
    throw new InvalidArgumentError('It is 1 to 256 characters, none of them a control character.')
  }
  return text
}

function parseTtl(text: string): number {
  const seconds = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0
  if (seconds < 1 || seconds > MAX_TTL_SECONDS) {
    throw new InvalidArgumentError(`It is a number of seconds from 1 to ${MAX_TTL_SECONDS}.`)
  }
  return seconds
}

/** In the form of the other log lines, and among them. */
function say(format: LogFormat, line: string): void {
  const entry = { level: 30, time: Date.now(), pid: process.pid, msg: line }
  inFormat(format, standardOutput).write(`${JSON.stringify(entry)}\n`)
}

function fail(problem: string): never {
  process.stderr.write(`parley: ${problem}\n`)
  process.exit(1)
}
