import { defineConfig } from 'rolldown'

/** Packages of hundreds of small modules: Node takes longer to find and load those than for all else of a start. */
const TAKEN_IN = ['typebox', 'jose', 'lib0', 'yjs', 'y-protocols']

/** What is loaded from where it is installed: all but this package, and those that are taken in. */
export const externalBut =
  (takenIn: readonly string[]) =>
  (id: string): boolean =>
    !/^[./]/.test(id) && !takenIn.some((name) => id === name || id.startsWith(`${name}/`))

/**
 * The server in few files, so that it starts in half the time. Threads are entries of their own. All lie in one folder, for
 * the code looks for its threads and for other files beside itself.
 */
export default defineConfig({
  input: {
    main: 'server/main.ts',
    worker: 'server/storage/sqlite/worker.ts',
    questionThread: 'server/modules/questionThread.ts',
    comparisonThread: 'server/modules/comparisonThread.ts',
    schemaThread: 'server/modules/schemaThread.ts',
  },
  platform: 'node',
  external: externalBut(TAKEN_IN),
  output: {
    dir: 'dist/server',
    // What is built again while somebody works keeps the files that were copied beside it.
    cleanDir: !process.argv.includes('--watch'),
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    sourcemap: true,
  },
})
