import { execFile } from 'node:child_process'
import { mkdtemp, mkdir, rm, symlink, writeFile, copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** The linter is only worth its time while it bites: these are violations planted in a project laid out like this one. */
const project = resolve(import.meta.dirname, '../..')

interface Finding {
  readonly file: string
  readonly rule: string
  readonly message: string
}

/** By file: imports that its layer refuses, and some that it allows. */
const LAYERS: Readonly<Record<string, { refused: string[]; allowed: string[] }>> = {
  'client-demo/src/state/x.ts': {
    refused: ['../../../server/http/strictJson.ts'],
    allowed: ['../../../server/content/merge.ts'],
  },
  'client-demo/src/parley/x.ts': { refused: ['../state/x.ts'], allowed: ['./types.ts'] },
}

const TOO_LONG = {
  rule: 'eslint(max-lines)',
  code: Array.from({ length: 401 }, (_, line) => `export const line${line} = ${line}`).join('\n'),
}

/** By file: code with one fault, and the rule that finds it. */
const FAULTS: Readonly<Record<string, { rule: string; code: string }>> = {
  'server/content/circleA.ts': {
    rule: 'import(no-cycle)',
    code: "import type { B } from './circleB.ts'\nexport type A = B | null",
  },
  'server/content/circleB.ts': {
    rule: 'import(no-cycle)',
    code: "import type { A } from './circleA.ts'\nexport type B = A[]",
  },
  'server/content/floating.ts': {
    rule: 'typescript(no-floating-promises)',
    code: 'const later = async (): Promise<void> => undefined\nexport function now(): void {\n  later()\n}',
  },
  'server/content/misused.ts': {
    rule: 'typescript(no-misused-promises)',
    code: 'const later = async (): Promise<boolean> => true\nexport const wrong = later() ? 1 : 2',
  },
  'server/content/explicitAny.ts': {
    rule: 'typescript(no-explicit-any)',
    code: 'export const anything = (value: any): unknown => value',
  },
  'server/content/nonNull.ts': {
    rule: 'typescript(no-non-null-assertion)',
    code: 'export const sure = (value: string | null): string => value!',
  },
  'server/content/cast.ts': {
    rule: 'typescript(no-unsafe-type-assertion)',
    code: 'export const told = (value: unknown): string => value as string',
  },
  'server/content/unsafe.ts': {
    rule: 'typescript(no-unsafe-assignment)',
    code: "export const parsed: { a: string } = JSON.parse('{}')",
  },
  'server/content/loose.ts': {
    rule: 'eslint(eqeqeq)',
    code: 'export const same = (a: string, b: string): boolean => a == b',
  },
  'server/content/forgotten.ts': {
    rule: 'typescript(switch-exhaustiveness-check)',
    code: "export function name(kind: 'a' | 'b'): void {\n  switch (kind) {\n    case 'a':\n  }\n}",
  },
  'server/content/longFunction.ts': {
    rule: 'eslint(max-lines-per-function)',
    code: `export function long(value: number): number {\n  let sum = value\n${'  sum += 1\n'.repeat(70)}  return sum\n}`,
  },
  'server/content/longFile.ts': TOO_LONG,
  'client-demo/src/state/longFile.ts': TOO_LONG,
  'test/unit/longFile.test.ts': TOO_LONG,
  'server/content/thrown.ts': {
    rule: 'typescript(only-throw-error)',
    code: "export const fail = (): never => {\n  throw 'text'\n}",
  },
}

const SOUND = 'server/content/sound.ts'
let folder = ''
let findings: Finding[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-lint-'))
  await copyFile(join(project, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  await symlink(join(project, 'node_modules'), join(folder, 'node_modules'))
  const config = {
    extends: join(project, 'tsconfig.json'),
    compilerOptions: { types: [] },
    include: ['server', 'client-demo', 'test'],
  }
  await plant('tsconfig.json', JSON.stringify(config))
  for (const [file, { code }] of Object.entries(FAULTS)) await plant(file, `${code}\n`)
  for (const [file, { refused, allowed }] of Object.entries(LAYERS)) {
    const imports = [...refused, ...allowed].map((from, index) => `export type { T${index} } from '${from}'`)
    await plant(file, `${imports.join('\n')}\n`)
  }
  await plant(SOUND, 'export const one = 1\n')
  findings = await lint()
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function plant(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true })
  await writeFile(join(folder, file), text)
}

async function lint(): Promise<Finding[]> {
  const oxlint = join(project, 'node_modules/oxlint/bin/oxlint')
  const args = [oxlint, '--type-aware', '--format=json', 'server', 'client-demo', 'test']
  // It exits 1 where it finds something, which is the point here.
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: unknown) => error as { stdout: string })
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { filename: string; code: string; message: string }[] }
  return diagnostics.map(({ filename, code, message }) => ({ file: filename, rule: code, message }))
}

const refusedImports = (file: string): string[] =>
  findings
    .filter((finding) => finding.file === file && finding.rule === 'eslint(no-restricted-imports)')
    .map((finding) => /^'([^']+)'/.exec(finding.message)?.[1] ?? '')

describe('the linter', () => {
  it.each(Object.entries(LAYERS))('keeps the layers: %s', (file, { refused }) => {
    expect(refusedImports(file).toSorted()).toEqual(refused.toSorted())
  })

  it.each(Object.entries(FAULTS))('finds the fault in %s', (file, { rule }) => {
    expect(findings.filter((finding) => finding.file === file).map((finding) => finding.rule)).toContain(rule)
  })

  it('has nothing to say about sound code', () => {
    expect(findings.filter((finding) => finding.file === SOUND)).toEqual([])
  })
})
