/**
 * At the end of a whole run: what the API description says and no test met (SPEC API-3). A part of the run says nothing;
 * what several parts saw is collected in the folder that is named to them, and judged by the last, which is told so.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { SEEN_FOLDER_VARIABLE } from './recorded.ts'
import { unmet } from './unmetAnswers.ts'

export default function watchAnswers(project: TestProject): () => Promise<void> {
  const named = process.env[SEEN_FOLDER_VARIABLE]
  const folder = named ?? mkdtempSync(join(tmpdir(), 'parley-answers-'))
  process.env[SEEN_FOLDER_VARIABLE] = folder
  return async () => {
    const { seen, described } = allLeft(folder)
    if (named === undefined) rmSync(folder, { recursive: true })
    const isLast = process.env['SEEN_ANSWERS_ARE_ALL'] === 'true'
    if (!isLast && !(await isWholeRun(project))) return
    const missing = unmet(described, seen)
    if (missing.length === 0) return
    console.error(`What the API description says and what tests met differ:\n${missing.join('\n')}`)
    // An error thrown here would be shown, and the run would be green.
    process.exitCode = 1
  }
}

function allLeft(folder: string): { readonly seen: Set<string>; readonly described: Set<string> } {
  const all = { seen: new Set<string>(), described: new Set<string>() }
  for (const file of readdirSync(folder)) {
    const left: { seen: string[]; described: string[] } = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    for (const one of left.seen) all.seen.add(one)
    for (const one of left.described) all.described.add(one)
  }
  return all
}

/** Whether every test file ran, and none of their tests was left out by its name. */
async function isWholeRun(project: TestProject): Promise<boolean> {
  const { testFiles } = await project.globTestFiles()
  return project.vitest.state.getFiles().length === testFiles.length && project.config.testNamePattern === undefined
}
