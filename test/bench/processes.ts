import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProcess, type Running } from '../support/process.ts'
import { RATES_NEVER_MET } from '../support/rates.ts'

export const BENCH_SECRET = 'the secret of the benchmarks, long enough'

/** Parley as it is shipped, on a database of its own; `flags` are Node's. `script`: another build of it. */
export function startParley(
  folder: string,
  flags: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
  script = 'dist/server/main.js',
): Promise<Running> {
  const [first, ...rest] = [...flags, script, 'serve']
  const settings = {
    PARLEY_PORT: '0',
    PARLEY_DATABASE: join(folder, 'parley.db'),
    PARLEY_SECRET: BENCH_SECRET,
    ...RATES_NEVER_MET,
    ...variables,
  }
  return startProcess(first, rest, settings, false)
}

/** Runs with a folder that is gone afterwards. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'))
  try {
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
