import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A rule id such as `WRITE-5`. */
type RuleId = string

/** Who owes a rule, and what of it stands and is tested already, if anything does. */
export interface Debt {
  readonly part: string
  readonly built?: string
}

/** Where the ids of SPEC.md and of the test titles do not agree; all lists are empty where they do. */
export interface Disagreement {
  /** In the specification, in no test title, and owed by nobody. */
  readonly untested: readonly RuleId[]
  /** In a test title, but not in the specification. */
  readonly unknown: readonly RuleId[]
  /** Owed in whole, although a test has it: strike it from the list, which only shrinks, or say what is built. */
  readonly paid: readonly RuleId[]
  /** Said to be built in part, although no test has it. */
  readonly unproven: readonly RuleId[]
  /** Owed, although the specification does not have it. */
  readonly owedInVain: readonly RuleId[]
}

/** The ids that define a rule: `- **[WRITE-5]** …`. */
export function rulesOf(specification: string): Set<RuleId> {
  return new Set(Array.from(specification.matchAll(/\*\*\[([A-Z]+-[0-9]+)\]\*\*/g), (match) => match[1] ?? ''))
}

/**
 * The ids that titles of tests begin with: `it('[WRITE-5] [WRITE-6] …', `, also in `describe` and after `.each(…)`.
 * A test that is skipped or still to be written proves nothing.
 */
export function rulesNamedIn(testSource: string): Set<RuleId> {
  const titles = testSource.matchAll(/(\.(?:skip|todo))?\(\s*['"`]((?:\[[A-Z]+-[0-9]+\]\s*)+)/g)
  const ids = Array.from(titles, ([, idle, list = '']) =>
    idle === undefined ? Array.from(list.matchAll(/[A-Z]+-[0-9]+/g), ([id]) => id) : [],
  )
  return new Set(ids.flat())
}

export function compareRules(
  specified: ReadonlySet<RuleId>,
  tested: ReadonlySet<RuleId>,
  owed: Readonly<Record<RuleId, Debt>>,
): Disagreement {
  const debts = Object.keys(owed)
  return {
    untested: [...specified].filter((rule) => !tested.has(rule) && !Object.hasOwn(owed, rule)),
    unknown: [...tested].filter((rule) => !specified.has(rule)),
    paid: debts.filter((rule) => tested.has(rule) && owed[rule]?.built === undefined),
    unproven: debts.filter((rule) => !tested.has(rule) && owed[rule]?.built !== undefined),
    owedInVain: debts.filter((rule) => !specified.has(rule)),
  }
}

/** Every rule that a test under these folders names. */
export async function rulesTestedIn(folders: readonly string[]): Promise<Set<RuleId>> {
  const sources = await Promise.all(folders.map(readTests))
  return new Set(sources.flat().flatMap((source) => [...rulesNamedIn(source)]))
}

/** Shared suites are no test files themselves, so every TypeScript file counts. */
async function readTests(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  const files = names.filter((name) => /\.tsx?$/.test(name) && !/(^|\/)(node_modules|bench)\//.test(name))
  return Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))
}
