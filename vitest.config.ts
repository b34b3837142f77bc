import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longestFirst.ts'
import { PATIENCE_MS } from './test/support/patience.ts'
import { SkippedReporter } from './test/support/skippedReporter.ts'

export default defineConfig({
  test: {
    globalSetup: ['test/support/answersSeen.ts'],
    setupFiles: ['test/support/recorderSetup.ts'],
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**', '**/node_modules/**'],
    // Forks: better-sqlite3 is a native module, and a crash in one file must not take the others with it.
    pool: 'forks',
    // A process runs file after file, and loads the server once: in every file anew that was a third of all the work.
    isolate: false,
    // Twice the two shared cores of continuous integration, because what waits for lines and clocks needs none.
    maxWorkers: 4,
    reporters: ['default', new SkippedReporter()],
    sequence: { sequencer: LongestFirst },
    // Patience for a machine that others use as well; nothing is proved by how long it took.
    testTimeout: 10 * PATIENCE_MS,
    hookTimeout: 10 * PATIENCE_MS,
    expect: { poll: { timeout: PATIENCE_MS } },
    restoreMocks: true,
  },
})
