import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ThreadPool, type PoolOptions } from '../../server/threads/pool.ts'
import type { Asked } from '../support/askedThread.ts'
import { childUrl } from '../support/children.ts'
import { waitUntil } from '../support/waitFor.ts'

let pool: ThreadPool<Asked, unknown>
let unexpected: unknown[]
beforeEach(() => {
  unexpected = []
  pool = poolOf({})
})
afterEach(() => pool.close())

function poolOf(options: Partial<PoolOptions>): ThreadPool<Asked, unknown> {
  return new ThreadPool({
    name: 'test',
    url: childUrl('askedThread'),
    threads: 1,
    atOnce: 2,
    onUnexpected: (error) => unexpected.push(error),
    ...options,
  })
}

const say = (what: unknown, by = 'alice') => pool.ask({ do: 'say', what }, { by })
const forever = (by: string) => {
  const leaving = new AbortController()
  const answer = pool.ask({ do: 'wait-until-gone' }, { by, gone: leaving.signal })
  return { answer, leave: () => leaving.abort() }
}

describe('[OPS-8] threads that answer questions', () => {
  it('[OPS-8] answer, refuse and fail as what they run does', async () => {
    expect(await say({ a: [1] })).toEqual({ a: [1] })
    const refusal = pool.ask({ do: 'refuse' }, { by: 'alice' })
    await expect(refusal).rejects.toMatchObject({ code: 'not-found', extras: { of: 'the thread' } })
    await expect(pool.ask({ do: 'break' }, { by: 'alice' })).rejects.toThrow('a bug')
    expect(await say('after all')).toBe('after all')
  })

  it('[OPS-8] have one question of an asker at a time, so that a flood keeps nobody else waiting', async () => {
    const endless = forever('alice')
    const flood = Array.from({ length: 50 }, (_, n) => say(n))
    expect(await say('mine', 'bob')).toBe('mine')
    endless.leave()
    expect(await endless.answer).toBe('gone')
    expect(await Promise.all(flood)).toEqual(Array.from({ length: 50 }, (_, n) => n))
  })

  it('[OPS-8] refuse what one asker has waiting past the bound, and nobody else', async () => {
    const endless = forever('alice')
    const flood = Array.from({ length: 130 }, (_, n) => say(n).catch((error: unknown) => error))
    expect(await say('mine', 'bob')).toBe('mine')
    endless.leave()
    const refused = (await Promise.all(flood)).filter((answer) => typeof answer !== 'number')
    expect(refused.length).toBeGreaterThan(20)
    for (const one of refused) expect(one).toMatchObject({ code: 'overloaded' })
  })

  it('[OPS-8] do not work on what nobody waits for any more', async () => {
    const endless = forever('alice')
    const waiting = forever('alice')
    waiting.leave()
    await expect(waiting.answer).rejects.toMatchObject({ message: 'The client has gone.' })
    endless.leave()
    expect(await endless.answer).toBe('gone')
  })

  it('[OPS-8] that end fail the question that ended them, and answer all others', async () => {
    const ending = pool.ask({ do: 'end' }, { by: 'alice' }).catch((error: unknown) => error)
    const others = ['bob', 'carol', 'dave'].map((by) => say(by, by))
    expect(await Promise.all(others)).toEqual(['bob', 'carol', 'dave'])
    expect(await ending).toMatchObject({ code: 'internal' })
    expect(unexpected).toHaveLength(2)
    expect(await say('after all')).toBe('after all')
  })

  it.each([
    ['that ends before it can be asked', new URL('../support/noSuchThread.mjs', import.meta.url)],
    ['that the process may not have', new URL('http://127.0.0.1/no-thread')],
  ])('[OPS-6] refuse for now what comes to a thread %s', async (_, url) => {
    pool = poolOf({ url })
    const asked = [say(1), say(2), say(3, 'bob')].map((answer) => answer.catch((error: unknown) => error))
    for (const one of await Promise.all(asked)) expect(one).toMatchObject({ code: 'overloaded' })
    expect(unexpected.length).toBeGreaterThan(0)
    await expect(say(4)).rejects.toMatchObject({ code: 'overloaded' })
    // One start was tried, for all of them, and the next one only after a second.
    expect(unexpected).toHaveLength(1)
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_000)
    await expect(say(5)).rejects.toMatchObject({ code: 'overloaded' })
    expect(unexpected).toHaveLength(2)
  })

  it.each([
    ['that ends before it can be asked', '../support/noSuchThread.mjs', 1],
    ['that ends before it can be asked', '../support/noSuchThread.mjs', 4],
    ['that the process may not have', 'http://127.0.0.1/no-thread', 1],
    ['that the process may not have', 'http://127.0.0.1/no-thread', 4],
  ])('[OPS-6] answer by one what a second %s was to (%s, %d at once)', async (_, second, atOnce) => {
    let starts = 0
    pool = new ThreadPool({
      name: 'test',
      get url() {
        starts += 1
        return starts === 1 ? childUrl('askedThread') : new URL(second, import.meta.url)
      },
      threads: 2,
      atOnce,
      onUnexpected: (error) => unexpected.push(error),
    })
    const busy = forever('alice')
    const asked = [say('b', 'bob'), say('c', 'carol'), say('d', 'dave')]
    await waitUntil(() => unexpected.length > 0)
    busy.leave()
    expect(await Promise.all(asked)).toEqual(['b', 'c', 'd'])
    expect(await busy.answer).toBe('gone')
    expect(unexpected).toHaveLength(1)
  })

  it('[HIST-5] answer anew what they were answering when a document was purged', async () => {
    await say('warm')
    const leaving = new AbortController()
    const answer = pool.ask({ do: 'wait-until-gone' }, { by: 'alice', gone: leaving.signal })
    await say('it has begun', 'bob')
    pool.endAll()
    leaving.abort()
    await expect(answer).rejects.toMatchObject({ message: 'The client has gone.' })
    const begun = forever('alice')
    await say('it has begun', 'bob')
    pool.endAll()
    const later = say('later', 'alice')
    expect(await say('others go on', 'bob')).toBe('others go on')
    begun.leave()
    await expect(begun.answer).rejects.toMatchObject({ message: 'The client has gone.' })
    expect(await later).toBe('later')
  })

  it('[OPS-8] give up what they were asked anew when its asker leaves', async () => {
    const endless = forever('alice')
    const ending = pool.ask({ do: 'end' }, { by: 'bob' }).catch((error: unknown) => error)
    await waitUntil(() => unexpected.length === 1)
    endless.leave()
    await Promise.race([endless.answer.catch(() => undefined), say('never alone', 'carol')])
    expect(await ending).toMatchObject({ code: 'internal' })
    const { answer, leave } = forever('alice')
    await say('it has begun', 'bob')
    pool.endAll()
    leave()
    await expect(answer).rejects.toMatchObject({ message: 'The client has gone.' })
  })

  it('[HIST-5] hold nothing while they are paused, and go on afterwards', async () => {
    await say('warm')
    const held = pool.ask({ do: 'hold' }, { by: 'alice' }).catch((error: unknown) => error)
    await say('it has begun', 'bob')
    const resume = await pool.pause()
    const waiting = say('later', 'bob')
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 20, 'nothing'))])).toBe('nothing')
    resume()
    expect(await waiting).toBe('later')
    await pool.close()
    expect(await held).toMatchObject({ code: 'shutting-down' })
  })
})
