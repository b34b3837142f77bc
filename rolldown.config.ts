import { defineConfig } from 'rolldown'

/** Hundreds of small modules each: Node takes longer to find and load those than for all else of a start. */
const TAKEN_IN = /^(typebox|jose|lib0|yjs|y-protocols)(\/|$)/
/** As the source imports it, a path or a name of this package; all else is loaded from where it is installed. */
const isOfPackage = (id: string): boolean => /^[./]/.test(id)

/** The server in few files, so that it starts in half the time. Threads are entries of their own. */
export default defineConfig({
  input: {
    main: 'server/main.ts',
    worker: 'server/storage/sqlite/worker.ts',
    questionThread: 'server/modules/questionThread.ts',
    comparisonThread: 'server/modules/comparisonThread.ts',
    schemaThread: 'server/modules/schemaThread.ts',
  },
  platform: 'node',
  external: (id) => !isOfPackage(id) && !TAKEN_IN.test(id),
  output: {
    dir: 'dist/server',
    // What is built again while somebody works keeps the files that were copied beside it.
    cleanDir: !process.argv.includes('--watch'),
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    sourcemap: true,
  },
})
