import { syncEndpoint, YWebsocketEndpoint, type SessionFact } from '../api/yWebsocket.ts'
import type { Config } from '../config.ts'
import { WaitingEditsKeeper } from '../documents/waitingEdits.ts'
import type { Environment } from '../foundation/environment.ts'
import type { Jobs } from '../foundation/jobs.ts'
import { bucketOfMinute } from '../limits/budget.ts'
import type { Storage } from '../storage/storage.ts'
import { DEFAULT_SYNC_LIMITS } from '../sync/limits.ts'
import { Rooms } from '../sync/rooms.ts'
import { malformed } from '../documents/admission/updateReader.ts'
import type { Access } from './access.ts'
import type { Core } from './core.ts'
import type { Http } from './http.ts'
import type { Module } from './module.ts'

export interface LiveParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly jobs: Jobs
  readonly core: Core
  readonly access: Access
  readonly http: Http
}

/** Live editing: rooms, the sockets to them, and the edits that wait for a lock. */
export function liveModule({ config, environment, storage, jobs, core, access, http }: LiveParts): Module {
  const { authenticate, isValid, revocations } = access
  const { replicas, committer, judge, writer } = core
  const onUnexpected = http.report('a session failed unexpectedly')
  const { liveMessagesPerMinute, liveBytesPerMinute } = config
  const budget = { messages: bucketOfMinute(liveMessagesPerMinute), bytes: bucketOfMinute(liveBytesPerMinute) }
  const limits = { ...DEFAULT_SYNC_LIMITS, windowMs: config.concurrentEditWindowMs, budget }
  const waitingEdits = new WaitingEditsKeeper({
    storage,
    committer,
    replicas,
    environment,
    jobs,
    prepare: (replica, left) => judge.prepare(replica, { ...left, waited: true }),
    malformed,
    refusal: (replica, left) => rooms.refusal(replica, left),
    onRefused: (facts, err) => http.app.log.warn({ err, ...facts }, 'edits that waited for a lock cannot be taken in'),
    onUnexpected,
  })
  const rooms = new Rooms({
    replicas,
    writer,
    judge,
    keeper: waitingEdits,
    environment,
    limits,
    onGivenUp: (facts, err) => http.app.log.warn({ err, ...facts }, 'edits of somebody who left cannot be taken in'),
    onUnexpected,
  })
  const onFlood = (): void => http.limits.count('live', 'connection')
  const onSession = ({ is, ...facts }: SessionFact): void => http.app.log.info(facts, `a live session is ${is}`)
  const sync = new YWebsocketEndpoint({
    rooms,
    authenticate,
    isValid,
    environment,
    limits,
    onFlood,
    onSession,
    onUnexpected,
  })
  revocations.onRevoked(() => sync.revalidate())
  return {
    name: 'live sessions',
    sockets: [syncEndpoint(sync, (request, token) => http.rates.enter(request, token, authenticate), core.limits)],
    start: () => waitingEdits.start(),
    measure: (meter) =>
      meter.gauge({ name: 'parley_sessions', help: 'Open live sessions.', labels: ['protocol'] }, () => [
        [rooms.sessions, 'y-websocket'],
      ]),
    stop: {
      deadlineMs: 4_000,
      run: async () => {
        await sync.close()
        await rooms.settled()
        await waitingEdits.close()
      },
    },
  }
}
