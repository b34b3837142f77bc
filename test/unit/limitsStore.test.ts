import { Connections } from '../../server/limits/connections.ts'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RequestRates } from '../../server/http/rates.ts'
import { LocalBuckets } from '../../server/limits/localBuckets.ts'
import { RateLimits, type BucketStore } from '../../server/limits/rates.ts'
import { bearer, serverWith } from './httpServer.ts'

/** Buckets that several nodes share answer later than those in memory. */
class SharedBuckets implements BucketStore {
  readonly #buckets = new LocalBuckets({ monotonicMs: () => 0 })

  async take(...asked: Parameters<BucketStore['take']>) {
    await new Promise((resolve) => setImmediate(resolve))
    return this.#buckets.take(...asked)
  }
}

/** A node of some that share their buckets. */
function nodeWith(store: BucketStore) {
  const perMinute = { read: 20, write: 20, resolve: 20, connect: 20, token: 20 }
  const rates = new RequestRates(new RateLimits(perMinute, store), [], new Connections(0))
  const app = serverWith(
    async (instance) => {
      instance.get('/mine', { config: { access: 'authenticated' } }, async (request) => ({
        sub: request.principal.sub,
      }))
      instance.get('/open', { config: { access: 'public' } }, async () => ({}))
    },
    { rates },
  )
  onTestFinished(() => app.close())
  return app
}

describe('[RATE-1] buckets that answer later', () => {
  it('[RATE-1] serve many nodes: what one takes is taken for all', async () => {
    const store = new SharedBuckets()
    const nodes = [nodeWith(store), nodeWith(store)]
    const statuses = []
    for (let n = 0; n < 22; n++) {
      const answer = await nodes[n % 2]?.inject({ url: '/mine', headers: bearer('reader') })
      statuses.push(answer?.statusCode)
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(20)
    expect(statuses.slice(20)).toEqual([429, 429])
  })

  it('[RATE-1] are asked for failures, public routes and unknown paths alike', async () => {
    const app = nodeWith(new SharedBuckets())
    const get = async (url: string, token: string | null = null) =>
      app.inject({ url, headers: token === null ? {} : bearer(token) })
    const answers = [await get('/open'), await get('/none'), await get('/mine', 'nobody'), await get('/%zz', 'reader')]
    expect(answers.map(({ statusCode, headers }) => [statusCode, headers['ratelimit']])).toEqual([
      [200, '"read";r=20;t=0'],
      [404, '"read";r=20;t=0'],
      [401, '"read";r=10;t=30'],
      [400, '"read";r=19;t=3'],
    ])
    expect([(await get('/mine')).statusCode, (await get('/mine')).statusCode]).toEqual([401, 429])
    expect((await get('/mine', 'nobody')).statusCode).toBe(429)
  })
})
