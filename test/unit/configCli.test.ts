import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { secretKeys, TokenVerifier } from '../../server/access/verifier.ts'
import { settingRows } from '../../server/config.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'

const SECRET = 'a secret of more than thirty-two bytes'
const run = promisify(execFile)

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line from source, with only these PARLEY_* variables. */
async function parley(args: readonly string[], variables: Record<string, string> = {}): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_'))
  const env = { ...Object.fromEntries(inherited), ...variables }
  try {
    return { code: 0, ...(await run(process.execPath, ['--import', 'tsx', 'server/main.ts', ...args], { env })) }
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
    ['an unknown flag', ['serve', '--prot', '1'], {}, /^error: unknown option '--prot'/],
    [
      '[AUTH-5] a public address without a secret',
      ['serve', '--host', '0.0.0.0'],
      {},
      /^parley: [^\n]*PARLEY_SECRET must be set\n$/,
    ],
  ])('[OPS-5] does not start with %s', async (_what, args, variables, line) => {
    const { code, stdout, stderr } = await parley(args, variables)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(line)
  })
})

describe('parley token', () => {
  const ask = (...args: string[]) => parley(['token', ...args], { PARLEY_SECRET: SECRET, PARLEY_AUDIENCE: 'docs' })

  it('[AUTH-3] prints a token the server accepts, and nothing else', async () => {
    const access = ['--access', 'team:*=read,write', '--access', 'team:*=resolve', '--access', 'x=read']
    const { code, stdout, stderr } = await ask('--sub', 'alice', ...access, '--name', 'Alice', '--ttl-seconds', '60')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const keys = secretKeys(Buffer.from(SECRET))
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
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'parley: PARLEY_SECRET must be at least 32 bytes long\n' })
  })
})
