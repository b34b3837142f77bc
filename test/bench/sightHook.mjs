// Loaded into a measured server with `--import`: whoever asks at the Unix socket in BENCH_SWITCH for `/on` or `/off` has the
// server note what sessions were sent, and ask for proof of it, from then on or not; the answer is the processor's time of
// this process so far, in microseconds.
import { createServer } from 'node:http'
import { isMainThread } from 'node:worker_threads'
import { SeenVersions } from '../../dist/modules/server/sync/seenVersions.js'

const noting = SeenVersions.prototype.sent
/** Nothing is noted, so nobody ever seems to lack anything, and nobody is asked. */
function noted() {
  return this
}

const server = createServer((request, response) => {
  if (request.url === '/on') SeenVersions.prototype.sent = noting
  if (request.url === '/off') SeenVersions.prototype.sent = noted
  const { user, system } = process.cpuUsage()
  response.end(String(user + system))
})
// The threads of the server load this too.
if (isMainThread) server.listen(process.env.BENCH_SWITCH).unref()
