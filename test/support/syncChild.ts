/** A server in a process of its own that a test can kill: `node --import tsx syncChild.ts DATABASE SECRET`. */
import { startApp } from '../../server/app.ts'
import { readConfig } from '../../server/config.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'

const [database, secret] = process.argv.slice(2)
const read = readConfig({
  PARLEY_PORT: '0',
  PARLEY_DATABASE: database,
  PARLEY_SECRET: secret,
  PARLEY_LOG_LEVEL: 'warn',
})
if ('problem' in read) throw new Error(read.problem)
const app = await startApp(read.config, systemEnvironment, { writer: 'inline' })
process.stdout.write(`listening on ${app.url}\n`)
