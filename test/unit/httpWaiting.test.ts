import { afterEach, describe, expect, it } from 'vitest'
import type { TokenWatch } from '../../server/access/access.ts'
import { tokenRefused } from '../../server/access/bearer.ts'
import { WatchedTokens } from '../../server/access/tokenWatch.ts'
import type { ParleyError } from '../../server/foundation/problems.ts'
import { toPrincipalId } from '../../server/foundation/ids.ts'
import { whileAllowed } from '../../server/http/waiting.ts'
import { ManualEnvironment } from '../support/manualEnvironment.ts'
import { bearer, serverWith } from './httpServer.ts'

const ended: (() => void)[] = []
afterEach(() => ended.splice(0).forEach((end) => end()))

describe('[SYNC-8] an answer that takes long', () => {
  it('[SYNC-8] is 401 as soon as the right of its asker ends, and the work is given up', async () => {
    let end: (why: ParleyError) => void = () => undefined
    let stopped = 0
    const tokens: TokenWatch = {
      problemOf: () => null,
      whileWaiting: (_principal, told) => {
        end = told
        return () => (stopped += 1)
      },
    }
    let work: AbortSignal | null = null
    const app = serverWith(
      async (instance) => {
        instance.get('/long', { config: { access: 'authenticated' } }, (request, reply) =>
          whileAllowed(request, reply, (gone) => {
            work = gone
            setImmediate(() => end(tokenRefused('The token was revoked')))
            return new Promise(() => undefined)
          }),
        )
      },
      { tokens },
    )
    ended.push(() => void app.close())
    const answer = await app.inject({ url: '/long', headers: bearer('reader') })
    expect(answer.statusCode).toBe(401)
    expect(answer.json()).toMatchObject({ detail: 'The token was revoked.' })
    expect(work).toMatchObject({ aborted: true })
    expect(stopped).toBe(1)
  })
})

describe('[SYNC-8] the watch over tokens', () => {
  const principal = (expiresAt: number) => ({
    sub: toPrincipalId('ann'),
    name: null,
    grants: [],
    issuedAt: 0,
    expiresAt,
    tokenId: null,
  })

  it('[SYNC-8] tells everybody who waits, once, and only while they do', async () => {
    const environment = new ManualEnvironment(0)
    let revoked = false
    let heard: () => void = () => undefined
    const revocations = {
      isRevoked: () => revoked,
      onRevoked: (listener: () => void) => {
        heard = listener
        return () => true
      },
    }
    const watch = new WatchedTokens(environment, revocations)
    const told: string[] = []
    const wait = (who: string, expiresAt: number) =>
      watch.whileWaiting(principal(expiresAt), ({ detail }) => told.push(`${who}: ${detail}`))
    wait('short', 5)
    wait('long', 60 * 24 * 3_600)
    const stop = wait('gone', 5)
    stop()
    await environment.advance(4_000)
    expect(told).toEqual([])
    await environment.advance(2_000)
    expect(told).toEqual(['short: The token has expired.'])
    revoked = true
    heard()
    heard()
    expect(told.slice(1)).toEqual(['long: The token was revoked.'])
    await environment.advance(10_000)
    expect(told).toHaveLength(2)
  })

  it('[SYNC-8] sees a token run out that lives for sixty days', async () => {
    const environment = new ManualEnvironment(0)
    const watch = new WatchedTokens(environment, { isRevoked: () => false, onRevoked: () => () => true })
    const days = 60 * 24 * 3_600
    expect(watch.problemOf(principal(days))).toBeNull()
    environment.jump(days * 1_000)
    expect(watch.problemOf(principal(days))?.code).toBe('unauthenticated')
  })
})
