import { Polls } from '../api/notificationPoll.ts'
import { hubEndpoint } from '../api/notificationSocket.ts'
import { EventStreams } from '../api/notificationStream.ts'
import { notificationRoutes } from '../api/notifications.ts'
import { webhookActRoutes } from '../api/webhookActs.ts'
import { webhookRoutes } from '../api/webhooks.ts'
import type { Config } from '../config.ts'
import type { Environment } from '../foundation/environment.ts'
import type { Idempotency } from '../http/idempotency.ts'
import { problemDocument } from '../http/problem.ts'
import { parseStrictJson } from '../http/strictJson.ts'
import { Feed } from '../notifications/feed.ts'
import { NotificationHub } from '../notifications/hub.ts'
import { Webhooks } from '../notifications/webhooks.ts'
import { httpSender } from '../notifications/webhooksSender.ts'
import { Motion } from '../operations/health.ts'
import type { Meter } from '../operations/meter.ts'
import type { Storage } from '../storage/storage.ts'
import type { Access } from './access.ts'
import type { Http } from './http.ts'
import type { Module } from './module.ts'

export interface NotificationParts {
  readonly config: Config
  readonly environment: Environment
  readonly storage: Storage
  readonly access: Access
  readonly http: Http
  readonly idempotency: Idempotency
}

/** The one feed of events and all who read it. Webhooks start after the door, for their messages name this server. */
export async function notificationModules(parts: NotificationParts): Promise<{ readers: Module; webhooks: Module }> {
  const { config, environment, storage, access, http, idempotency } = parts
  const { authenticate, isValid, revocations } = access
  const onUnexpected = http.report('a notification failed unexpectedly')
  const feed = await Feed.open({ storage, environment, source: http.publicUrl })
  const allowPrivate = config.webhookPrivate
  const webhooks = new Webhooks({
    storage,
    environment,
    feed,
    send: httpSender({ environment, allowPrivate }),
    allowPrivate,
    isRevoked: (principal) => revocations.isRevoked(principal),
    onUnexpected,
  })
  const motion = new Motion(environment)
  const streams = new EventStreams({ feed, environment, isValid, onUnexpected })
  const polls = new Polls({ feed, environment, isValid })
  const hub = new NotificationHub({
    feed,
    authenticate,
    isValid,
    environment,
    parseJson: parseStrictJson,
    problemOf: (problem) => problemDocument(problem, http.publicUrl()),
    onUnexpected,
    onFlood: () => http.limits.count('notifications', 'connection'),
  })
  for (const readers of [webhooks, streams, polls, hub]) revocations.onRevoked(() => readers.revalidate())
  return {
    readers: {
      name: 'notifications',
      routes: [
        notificationRoutes({ epoch: storage.epoch, streams, polls }),
        webhookRoutes(webhooks, idempotency),
        webhookActRoutes(webhooks, idempotency),
      ],
      sockets: [hubEndpoint(hub, { authenticate, rates: http.rates, epoch: storage.epoch })],
      checkup: async () => [motion.part('feed', feed.progress)],
      measure: (meter) => measureReaders(meter, { feed, hub, streams, polls }),
      stop: {
        deadlineMs: 3_000,
        run: async () => {
          feed.close()
          polls.close()
          await Promise.all([hub.close(), streams.close()])
        },
      },
    },
    webhooks: {
      name: 'webhooks',
      start: () => webhooks.start(),
      measure: (meter) => measurePosts(meter, webhooks),
      stop: { deadlineMs: 100, run: async () => webhooks.stop() },
    },
  }
}

interface Readers {
  readonly feed: Feed
  readonly hub: NotificationHub
  readonly streams: EventStreams
  readonly polls: Polls
}

/** From what nobody notices to what somebody would ring up about. */
const LAG_SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60]

function measureReaders(meter: Meter, { feed, hub, streams, polls }: Readers): void {
  meter.gauge({ name: 'parley_notification_readers', help: 'Readers of notifications.', labels: ['transport'] }, () => [
    [hub.size, 'websocket'],
    [streams.size, 'sse'],
    [polls.size, 'poll'],
  ])
  meter.gauge({ name: 'parley_feed_untold_events', help: 'Events that were not told to those who listen yet.' }, () => [
    [feed.progress.due - feed.progress.done],
  ])
  const lag = meter.histogram(
    { name: 'parley_notification_lag_seconds', help: 'From when something happened until all who listen were told.' },
    LAG_SECONDS,
  )
  feed.onTold((lagMs) => lag(lagMs / 1_000))
}

function measurePosts(meter: Meter, webhooks: Webhooks): void {
  const tries = meter.counter({
    name: 'parley_webhook_attempts_total',
    help: 'Posts to webhooks, by what became of the delivery: delivered, pending (tried again later), failed.',
    labels: ['result'],
  })
  webhooks.onTried(({ state }) => tries.add(1, state.status))
}
