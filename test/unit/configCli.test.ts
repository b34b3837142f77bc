import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { secretKeys, TokenVerifier } from '../../server/access/verifier.ts'
import { settingRows } from '../../server/config.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { openSqlite } from '../../server/storage/sqlite/open.ts'
import { startedLine, welcome } from '../../server/operations/start.ts'

const SECRET = 'a secret of more than thirty-two bytes'
const run = promisify(execFile)

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line as it is built, with only these PARLEY_* variables. */
async function parley(args: readonly string[], variables: Record<string, string> = {}): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_'))
  const env = { ...Object.fromEntries(inherited), ...variables }
  try {
    return { code: 0, ...(await run(process.execPath, ['dist/server/main.js', ...args], { env })) }
  } catch (error) {
    const { code, stdout, stderr } = error as Outcome
    return { code, stdout, stderr }
  }
}

describe('parley serve', () => {
  let help = ''
  beforeAll(async () => {
    help = (await parley(['serve', '--help'])).stdout
  })

  it('[OPS-5] --help lists every setting by flag and by variable', () => {
    const words = help.replaceAll(/\s+/g, ' ')
    for (const { flag, variable } of settingRows()) {
      expect(words).toContain(`${flag} <value>`)
      expect(words).toContain(`${variable},`)
    }
  })

  it.each([
    ['an unknown variable', ['serve'], { PARLEY_PROT: '1' }, /^parley: PARLEY_PROT is not a setting[^\n]*\n$/],
    [
      'a malformed variable',
      ['serve'],
      { PARLEY_PORT: 'x' },
      /^parley: PARLEY_PORT must be an integer from 0 to 65535\n$/,
    ],
    [
      'a malformed flag, whatever the variable',
      ['serve', '--port', 'x'],
      { PARLEY_PORT: '1' },
      /^parley: PARLEY_PORT must be[^\n]*\n$/,
    ],
    [
      'one port for documents and metrics',
      ['serve', '--metrics-port', '4090'],
      {},
      /^parley: PARLEY_METRICS_PORT must be another port than PARLEY_PORT 4090\n$/,
    ],
    ['an unknown flag', ['serve', '--prot', '1'], {}, /^error: unknown option '--prot'/],
    [
      '[AUTH-5] a public address without a secret',
      ['serve', '--host', '0.0.0.0'],
      {},
      /^parley: [^\n]*PARLEY_SECRET must be set, at least 32 bytes long; to make one: node -p [^\n]*\n$/,
    ],
  ])('[OPS-5] does not start with %s', async (_what, args, variables, line) => {
    const { code, stdout, stderr } = await parley(args, variables)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(line)
  })
})

describe('[OPS-5] a start that cannot come about', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-start-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  /** All of standard error, where it is one line. */
  async function whyNot(variables: Record<string, string>): Promise<string> {
    const { code, stdout, stderr } = await parley(['serve'], { PARLEY_PORT: '0', ...variables })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trim().split('\n')).toHaveLength(1)
    return stderr
  }

  it('[OPS-5] for a port that is taken names its setting, and leaves no file', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    const why = await whyNot({ PARLEY_PORT: port, PARLEY_DATABASE: join(folder, 'parley.db') })
    expect(why).toContain(`PARLEY_PORT ${port} is taken on 127.0.0.1`)
    expect(await readdir(folder)).toEqual([])
    const metrics = await whyNot({ PARLEY_METRICS_PORT: port, PARLEY_DATABASE: join(folder, 'parley.db') })
    expect(metrics).toContain(`PARLEY_METRICS_PORT ${port} is taken on 127.0.0.1`)
    expect(await readdir(folder)).toEqual([])
    await new Promise((resolve) => other.close(resolve))
  })

  it('[OPS-5] for a folder that is not there names it and its setting', async () => {
    const why = await whyNot({ PARLEY_DATABASE: join(folder, 'missing', 'parley.db') })
    expect(why).toContain(`there is no folder ${join(folder, 'missing')}. (PARLEY_DATABASE`)
    expect(await readdir(folder)).toEqual([])
  })

  it('[OPS-5] for what is no database leaves it as it is', async () => {
    const [notes, inner] = [join(folder, 'notes.txt'), join(folder, 'inner')]
    await writeFile(notes, 'Call Ada on Friday, and much more besides.\n')
    await mkdir(inner)
    expect(await whyNot({ PARLEY_DATABASE: notes })).toContain(
      `${notes} is not a Parley database. Choose another file.`,
    )
    expect(await whyNot({ PARLEY_DATABASE: inner })).toContain(`${inner} is a folder. Choose a file`)
    expect((await readdir(folder)).toSorted()).toEqual(['inner', 'notes.txt'])
  })

  it('[OPS-5] [API-7] for a public path that could be one of the API leaves no file', async () => {
    const why = await whyNot({ PARLEY_PUBLIC_URL: 'https://h.example/docs', PARLEY_DATABASE: join(folder, 'x.db') })
    expect(why).toContain('PARLEY_PUBLIC_URL must not have a path that begins with /docs')
    expect(await readdir(folder)).toEqual([])
  })

  it('[OPS-5] for an address of another machine names its setting', async () => {
    const why = await whyNot({ PARLEY_HOST: '192.0.2.1', PARLEY_SECRET: SECRET, PARLEY_DATABASE: join(folder, 'x.db') })
    expect(why).toBe('parley: PARLEY_HOST 192.0.2.1 is no address of this machine.\n')
    expect(await readdir(folder)).toEqual([])
  })
})

describe('[OPS-5] what is told of a server that has started', () => {
  const facts = { version: '1.2.3', url: 'http://127.0.0.1:4090', database: '/data/parley.db' }

  it('[OPS-5] tells a person where to go on', () => {
    expect(welcome({ ...facts, letsGuestsIn: true }).split('\n')).toEqual([
      'parley 1.2.3 is listening on http://127.0.0.1:4090',
      '  try it    open http://127.0.0.1:4090 in two windows',
      '  database  /data/parley.db',
      expect.stringMatching(/^ {2}guests {4}are let in: .*PARLEY_SECRET/),
      '  stop      Ctrl+C',
      '',
    ])
    expect(welcome({ ...facts, letsGuestsIn: false })).toContain('  guests    are not let in; `parley token --help`')
  })

  it('[OPS-5] tells a program in one line of JSON', () => {
    const line = startedLine({ ...facts, letsGuestsIn: false }, 5, 7)
    expect(line.endsWith('}\n')).toBe(true)
    expect(JSON.parse(line)).toEqual({
      level: 30,
      time: 5,
      pid: 7,
      ...facts,
      guests: false,
      msg: `listening on ${facts.url}`,
    })
  })

  it('[OPS-5] whose files are none that git tells of', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-git-'))
    await run('git', ['init', '-q', folder])
    await copyFile('.gitignore', join(folder, '.gitignore'))
    const storage = await openSqlite({
      file: join(folder, 'parley.db'),
      writer: 'inline',
      environment: systemEnvironment,
    })
    const files = await readdir(folder)
    const { stdout } = await run('git', ['-C', folder, 'status', '--porcelain'])
    await storage.close()
    await rm(folder, { recursive: true })
    expect(files.length).toBeGreaterThan(4)
    expect(stdout).toBe('?? .gitignore\n')
  })

  it('[OPS-5] --version is that of the package', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8'))
    expect(await parley(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('parley token', () => {
  const ask = (...args: string[]) => parley(['token', ...args], { PARLEY_SECRET: SECRET, PARLEY_AUDIENCE: 'docs' })

  it('[AUTH-3] prints a token the server accepts, and nothing else', async () => {
    const access = ['--access', 'team:*=read,write', '--access', 'team:*=resolve', '--access', 'x=read']
    const { code, stdout, stderr } = await ask('--sub', 'alice', ...access, '--name', 'Alice', '--ttl-seconds', '60')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const keys = [secretKeys(Buffer.from(SECRET))]
    const revocations = { isRevoked: () => false }
    const verifier = new TokenVerifier({ keys, audience: 'docs', environment: systemEnvironment, revocations })
    const principal = await verifier.verify(stdout.trim())
    expect(principal).toMatchObject({ sub: 'alice', name: 'Alice' })
    expect(principal.expiresAt - principal.issuedAt).toBeCloseTo(60, 3)
    expect(principal.grants).toEqual([
      { pattern: { prefix: 'team:' }, permissions: new Set(['read', 'write', 'resolve']) },
      { pattern: { exact: 'x' }, permissions: new Set(['read']) },
    ])
  })

  it.each([
    ['no sub', ['--access', '*=read']],
    ['an empty sub', ['--sub', '', '--access', '*=read']],
    ['a pattern that is none', ['--sub', 'a', '--access', 'a*b=read']],
    ['two equals signs', ['--sub', 'a', '--access', 'a=read=write']],
    ['a ttl of 0', ['--sub', 'a', '--access', '*=read', '--ttl-seconds', '0']],
  ])('[AUTH-3] prints no token for %s', async (_what, args) => {
    const { code, stdout, stderr } = await ask(...args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).not.toBe('')
  })

  it('[AUTH-3] needs a secret of 32 bytes', async () => {
    const { code, stderr } = await parley(['token', '--sub', 'a', '--access', '*=read'], { PARLEY_SECRET: 'short' })
    expect(code).toBe(1)
    const [, command = ''] =
      /^parley: PARLEY_SECRET must be at least 32 bytes long; to make one: node -p "(.*)"\n$/.exec(stderr) ?? []
    const { stdout: made } = await run(process.execPath, ['-p', command])
    expect(made.trim().length).toBeGreaterThanOrEqual(32)
  })
})
