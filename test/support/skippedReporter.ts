import type { Reporter, TestModule } from 'vitest/node'

/** Says at the end of a run how many tests did not run, and why: nobody is to take them for proofs. */
export class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, number>()
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        const why = result.state === 'skipped' ? (result.note ?? 'left out by name, or for no reason given') : ''
        counts.set(why, (counts.get(why) ?? 0) + 1)
      }
    }
    for (const [why, count] of counts) console.log(`${count} skipped: ${why}`)
  }
}
