import { fork, type ChildProcess } from 'node:child_process'
import { childNews } from './childNews.ts'
import { childUrl } from './children.ts'
import type { SubscriberNews } from './subscribersChild.ts'

export interface SubscribersOptions {
  readonly count: number
  /** What the text of every event holds, and of nothing else. */
  readonly marker: string
  /** What the frame holds that says that events are told from now on; empty where the handshake says so. */
  readonly welcome: string
  /** A file with a token for each, a line each. */
  readonly tokenFile?: string
}

export interface Subscribers {
  readonly process: ChildProcess
  /** Resolves with the time, in nanoseconds of the machine's clock, when all were told of the next event. */
  told(): Promise<bigint>
}

/** Subscribes so many sockets from a process of their own; resolves once all are told of what happens. */
export async function subscribeMany(url: string, options: SubscribersOptions): Promise<Subscribers> {
  const { count, marker, welcome, tokenFile = '' } = options
  const child = fork(childUrl('subscribersChild'), [url, String(count), marker, welcome, tokenFile])
  const next = childNews<SubscriberNews>(child)
  await next()
  return {
    process: child,
    told: async () => {
      const news = await next()
      if (!('told' in news)) throw new Error('the subscribers are ready twice')
      return BigInt(news.atNs)
    },
  }
}
