/**
 * A built server in a process of its own that ends, as by kill -9, around the commit of an act that goes with an answer:
 * `node crashChild.mjs DATABASE SECRET before|after|never`.
 */
import { startApp } from '../../dist/modules/server/app.js'
import { readConfig } from '../../dist/modules/server/config.js'
import { systemEnvironment } from '../../dist/modules/server/foundation/environment.js'

const [database, secret, moment] = process.argv.slice(2)
const read = readConfig({
  PARLEY_PORT: '0',
  PARLEY_DATABASE: database,
  PARLEY_SECRET: secret,
  PARLEY_LOG_LEVEL: 'warn',
})
if ('problem' in read) throw new Error(read.problem)

const crash = () => void process.kill(process.pid, 'SIGKILL')

/** Nothing of this process runs on once it has crashed: what waits for the act waits for ever. */
function crashing(storage) {
  const commit = async (act) => {
    if (moment === 'before' && act.answer) crash()
    const result = await storage.commit(act)
    if (moment === 'after' && act.answer) crash()
    return result
  }
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'commit') return commit
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const app = await startApp(read.config, systemEnvironment, { writer: 'inline', wrapStorage: crashing })
process.stdout.write(`listening on ${app.url}\n`)
