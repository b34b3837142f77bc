import { EventEmitter } from 'node:events'
import type { FastifyReply } from 'fastify'
import { describe, expect, it } from 'vitest'
import { goneSignal } from '../../server/http/gone.ts'

class Raw extends EventEmitter {
  destroyed = false
  writableFinished = false
}
const signalOf = (raw: Raw): AbortSignal => goneSignal({ raw: raw as unknown as FastifyReply['raw'] })

describe('whether somebody waits for an answer', () => {
  it('[LOCK-3] nobody does once the connection has ended, unless the answer was on its way', () => {
    const [left, served] = [new Raw(), new Raw()]
    const [gone, done] = [signalOf(left), signalOf(served)]
    expect([gone.aborted, done.aborted]).toEqual([false, false])
    left.emit('close')
    served.writableFinished = true
    served.emit('close')
    expect([gone.aborted, done.aborted]).toEqual([true, false])
  })

  it('[LOCK-3] nor where it had ended before anybody looked', () => {
    const raw = new Raw()
    raw.destroyed = true
    expect(signalOf(raw).aborted).toBe(true)
  })
})
