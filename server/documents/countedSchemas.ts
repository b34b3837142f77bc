import { Ajv2020, type Options } from 'ajv/dist/2020.js'
import type { DataValidateFunction } from 'ajv/dist/types/index.js'
import { RE2JS } from 're2js'
import { canonicalJson } from '../content/equal.ts'
import type { JsonValue } from '../content/content.ts'

/**
 * What judging one content may cost (SPEC WRITE-9), in subschemas entered, members and elements visited, and units that a
 * pattern reads: a quarter of a second at worst. The largest contents and schemas that people write take a tenth. Counted,
 * so that a busy machine judges as an idle one does.
 */
const MAX_STEPS = 5_000_000
/** To call what a `$ref` names, and to carry its violations over, takes so many of the others. */
const CALL_STEPS = 8
/** A pattern reads so many units in the time that one step takes. */
const UNITS_PER_STEP = 8

/** The schema asks for more steps than `MAX_STEPS`. */
export class TooMuchWork extends Error {}

let left = MAX_STEPS

function spend(steps: number): void {
  left -= steps
  if (left < 0) throw new TooMuchWork()
}

/** Runs a judgement with so many steps: all that one may take, or fewer. */
export function counted<T>(judge: () => T, steps = MAX_STEPS): T {
  left = steps
  return judge()
}

/** RE2 runs in linear time: a pattern in a schema cannot stall the server. */
const linearRegExp = Object.assign(
  (pattern: string) => {
    const expression = RE2JS.compile(pattern)
    const test = (text: string): boolean => {
      spend(1 + Math.ceil((text.length * pattern.length) / UNITS_PER_STEP ** 2))
      return expression.matcher(text).find()
    }
    // By this Ajv tells patterns from each other: it makes one of those that are named alike.
    return { test, toString: () => pattern }
  },
  { code: 'linearRegExp' },
)

/** In code that Ajv made: string literals, which stay as they are, and what begins a step. */
const STEPS =
  /"(?:[^"\\]|\\.)*"|\bfor\s*\((?:[^()]|\([^()]*\))*\)\s*\{|\bfunction \w+\(data, \{[^)]*\}\s*=\s*\{\}\)\s*\{|\bconst _errs\d+ = errors;/g

function withStep(found: string): string {
  if (found.startsWith('"')) return found
  return `${found}self.spend(${found.startsWith('function') ? CALL_STEPS : 1});`
}

const OPTIONS: Options = {
  strict: false,
  allErrors: true,
  validateFormats: false,
  logger: false,
  // A content without a member `constructor` has none, whatever its prototype has.
  ownProperties: true,
  // Inlined, a definition that is referred to a thousand times would be compiled a thousand times.
  inlineRefs: false,
  // Longer lists are loops, which are counted.
  loopEnum: 16,
  loopRequired: 16,
  code: {
    regExp: linearRegExp,
    optimize: false,
    process: (code) => code.replaceAll(STEPS, withStep),
  },
}

/** Ajv whose judgements count their steps, and compare the items of an array in the time that reading them takes. */
export class CountedAjv extends Ajv2020 {
  constructor(options: Options = {}) {
    super({ ...OPTIONS, ...options })
    this.removeKeyword('uniqueItems')
    this.addKeyword({
      keyword: 'uniqueItems',
      type: 'array',
      schemaType: 'boolean',
      compile: (isWanted: boolean) => (isWanted ? uniqueItems() : () => true),
    })
  }

  /** Called by the code that Ajv makes. */
  spend(steps: number): void {
    spend(steps)
  }
}

/** Finds the last item that another equals, and of those the last before it. */
function uniqueItems(): DataValidateFunction {
  const validate: DataValidateFunction = (items: readonly JsonValue[]) => {
    spend(items.length)
    const seen = new Map<string, number>()
    let twins: { readonly i: number; readonly j: number } | null = null
    for (const [i, item] of items.entries()) {
      const form = canonicalJson(item)
      const j = seen.get(form)
      if (j !== undefined) twins = { i, j }
      seen.set(form, i)
    }
    if (twins === null) return true
    const message = `must NOT have duplicate items (items ## ${twins.j} and ${twins.i} are identical)`
    validate.errors = [{ keyword: 'uniqueItems', params: twins, message }]
    return false
  }
  return validate
}
