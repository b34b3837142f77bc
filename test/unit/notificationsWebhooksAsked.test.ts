import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ParleyError } from '../../server/foundation/problems.ts'
import { DELETED } from '../../server/model/event.ts'
import { settled } from '../support/manualEnvironment.ts'
import {
  alice,
  commit,
  hanging,
  HOUR_MS,
  logOf,
  NOTED,
  notes,
  pass,
  posts,
  receiver,
  register,
  restart,
  SECOND_MS,
  setUp,
  storage,
  tearDown,
  unexpected,
  until,
  webhooks,
} from '../support/webhooksAtWork.ts'

beforeEach(setUp)
afterEach(tearDown)

describe('[NOTE-8] what is asked of a webhook while it is at work', () => {
  it('one that is taken while it is asked to be sent again is not sent again', async () => {
    const { id } = await register()
    receiver.answer = () => ({ status: 500 })
    await commit(['a', '1'])
    await until(() => posts.length === 1)
    const [{ message } = { message: '' }] = await logOf(id)
    await pass(SECOND_MS)
    const { delivery } = storage
    let asked = 0
    storage.delivery = async (...parameters) => {
      const found = await delivery.apply(storage, parameters)
      asked += 1
      if (asked > 1) return found
      receiver.answer = () => ({ status: 200 })
      await pass(HOUR_MS)
      return found
    }
    const told = await webhooks.resend(id, alice, message)
    expect(told.state.status).toBe('delivered')
    const before = posts.length
    await pass(HOUR_MS)
    expect(posts.length).toBe(before)
    expect(unexpected).toEqual([])
  })

  it('one that is on its way to its place is not put there twice', async () => {
    const { id } = await register()
    const { queueDeliveries } = storage
    let asking: Promise<unknown> = Promise.resolve()
    storage.queueDeliveries = async (webhook, cursor, deliveries) => {
      const queued = await queueDeliveries.call(storage, webhook, cursor, deliveries)
      const [first] = queued
      if (first) {
        asking = webhooks.resend(id, alice, first.message)
        await asking
      }
      return queued
    }
    await commit(['a', '1'])
    await until(() => posts.length === 1)
    await asking
    await pass(HOUR_MS)
    expect(notes()).toEqual(['1'])
    expect(unexpected).toEqual([])
  })

  it('what it asks for now is asked of what comes, over a crash too', async () => {
    const { id } = await register({ events: [DELETED] })
    await commit(['a', '1'])
    await pass(SECOND_MS)
    await webhooks.change(id, alice, { events: [NOTED] })
    await settled()
    await restart()
    await commit(['a', '2'])
    await until(() => posts.length > 0)
    await pass(HOUR_MS)
    expect(notes()).toEqual(['2'])
  })

  it('[OPS-8] one that works again is taken up without reading all others', async () => {
    const { id } = await register()
    receiver.answer = () => ({ status: 410 })
    await commit(['a', '1'])
    await until(() => webhooks.find(id, alice).disabled !== null)
    receiver.answer = () => ({ status: 200 })
    let reads = 0
    const { webhooks: readAll } = storage
    storage.webhooks = () => {
      reads += 1
      return readAll.call(storage)
    }
    posts.length = 0
    await webhooks.change(id, alice, { url: 'https://other.test/hook' })
    await commit(['a', '2'])
    await until(() => notes().includes('2'))
    expect(reads).toBe(0)
  })

  it('one that works again, and could not be taken up at once, is taken up by its next change, with all that waited', async () => {
    const { id } = await register()
    receiver.answer = ({ note }, signal) => (note === '1' ? { status: 410 } : hanging(signal))
    await commit(['b', '0'], ['a', '1'])
    await until(() => webhooks.find(id, alice).disabled !== null)
    receiver.answer = () => ({ status: 200 })
    const { pendingDeliveries } = storage
    storage.pendingDeliveries = () => Promise.reject(new ParleyError('storage-unavailable', 'Not now, says the test.'))
    const change = webhooks.change(id, alice, { url: 'https://other.test/hook' })
    await expect(change).rejects.toMatchObject({ code: 'storage-unavailable' })
    storage.pendingDeliveries = pendingDeliveries
    posts.length = 0
    await webhooks.change(id, alice, { url: 'https://third.test/hook' })
    await commit(['a', '2'])
    await until(() => notes().includes('2'))
    await pass(HOUR_MS)
    expect(notes().toSorted()).toEqual(['0', '2'])
  })
})
