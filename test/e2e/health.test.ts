import { afterEach, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
afterEach(() => server.stop())

const get = async (path: string): Promise<{ status: number; cache: string | null; body: Record<string, unknown> }> => {
  const answer = await fetch(`${server.url}${path}`)
  return { status: answer.status, cache: answer.headers.get('cache-control'), body: Object(await answer.json()) }
}

describe('[OPS-1] whoever runs a server', () => {
  it('[OPS-1] learns without a token that it answers', async () => {
    server = await startTestServer()
    expect(await get('/healthz')).toEqual({ status: 200, cache: 'no-store', body: { status: 'ok' } })
  })

  it('[OPS-1] learns of each part how it is doing', async () => {
    server = await startTestServer()
    const { status, body } = await get('/readyz')
    expect(status).toBe(200)
    expect(body).toEqual({
      status: 'ok',
      parts: [
        { name: 'storage', status: 'ok' },
        ...[
          'waiting edits',
          'purge',
          'compaction',
          'pruning of events',
          'pruning of conflicts',
          'pruning of stored answers',
          'pruning of revocations',
          'tidying',
          'lock expiry',
          'settling',
          'expiring',
        ].map((job) => ({ name: `job: ${job}`, status: 'ok' })),
        { name: 'feed', status: 'ok' },
      ],
    })
    expect((await get('/v1/readyz')).body['status']).toBe('ok')
  })

  it('[OPS-1] [OPS-6] is told of a disk that takes nothing, which is not the end of the process', async () => {
    let isFull = true
    server = await startTestServer({
      internals: {
        wrapStorage: (storage) =>
          new Proxy(storage, {
            get: (target, name) => {
              if (name === 'writable' && isFull) return async () => false
              const value: unknown = Reflect.get(target, name)
              return typeof value === 'function' ? value.bind(target) : value
            },
          }),
      },
    })
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      body: {
        status: 'down',
        parts: expect.arrayContaining([{ name: 'storage', status: 'down', why: 'The database cannot be written.' }]),
      },
    })
    expect((await get('/healthz')).status).toBe(200)
    isFull = false
    await expect.poll(async () => (await get('/readyz')).status).toBe(200)
  })
})
