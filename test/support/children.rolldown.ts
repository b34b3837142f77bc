import { defineConfig } from 'rolldown'
import server, { externalBut } from '../../rolldown.config.ts'
import { CHILDREN } from './children.ts'

/** The processes and threads of tests, built as the server is: started from their source they take three times as long. */
export default defineConfig({
  ...server,
  input: Object.fromEntries(CHILDREN.map((name) => [name, `test/support/${name}.ts`])),
  // Yjs is the installed one, which the stock clients in some of them have as well: there may be one in a process.
  external: externalBut(['typebox', 'jose']),
  output: { ...server.output, dir: 'dist/children' },
})
