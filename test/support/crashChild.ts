/**
 * A server in a process of its own that ends, as by kill -9, around the commit of an act that goes with an answer. Arguments:
 * the file of the database, the secret, and the moment: before, after or never.
 */
import { startApp } from '../../server/app.ts'
import { readConfig } from '../../server/config.ts'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import type { Act, ActResult } from '../../server/storage/act.ts'
import type { Storage } from '../../server/storage/storage.ts'

const [database = '', secret = '', moment] = process.argv.slice(2)
const read = readConfig({
  PARLEY_PORT: '0',
  PARLEY_DATABASE: database,
  PARLEY_SECRET: secret,
  PARLEY_LOG_LEVEL: 'warn',
})
if ('problem' in read) throw new Error(read.problem)

const crash = (): void => void process.kill(process.pid, 'SIGKILL')

/** Nothing of this process runs on once it has crashed: what waits for the act waits for ever. */
function crashing(storage: Storage): Storage {
  const commit = async (act: Act): Promise<ActResult> => {
    if (moment === 'before' && act.answer) crash()
    const result = await storage.commit(act)
    if (moment === 'after' && act.answer) crash()
    return result
  }
  return new Proxy(storage, {
    get(target, name): unknown {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const app = await startApp(read.config, systemEnvironment, { writer: 'inline', wrapStorage: crashing })
process.stdout.write(`listening on ${app.url}\n`)
