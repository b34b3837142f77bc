import { describe, expect, it } from 'vitest'
import { Intake } from '../../server/sync/intake.ts'
import { ManualEnvironment, settled } from '../support/manualEnvironment.ts'

/** An intake of which each frame takes so many milliseconds to read. */
function setUp(readMs: number) {
  const environment = new ManualEnvironment()
  const read: number[] = []
  let isOpen = true
  const source = { pause: () => void (isOpen = false), resume: () => void (isOpen = true) }
  const intake = new Intake(environment, source, ([name = 0]) => {
    read.push(name)
    environment.jump(readMs)
  })
  const take = (...names: number[]): void => names.forEach((name) => intake.take(Uint8Array.of(name)))
  return { intake, read, take, isOpen: () => isOpen }
}

describe('what a client sends', () => {
  it('[OPS-8] is read at once, as long as that takes no time', () => {
    const { read, take, isOpen } = setUp(0)
    take(1, 2, 3)
    expect([read, isOpen()]).toEqual([[1, 2, 3], true])
  })

  it('[OPS-8] is read a few milliseconds at a time, in order, and no more is taken from the line meanwhile', async () => {
    const { intake, read, take, isOpen } = setUp(4)
    intake.pause()
    take(...Array.from({ length: 9 }, (_, n) => n))
    expect([read, isOpen()]).toEqual([[], false])
    intake.resume()
    await new Promise((resolve) => setImmediate(resolve))
    expect([read, isOpen()]).toEqual([[0, 1, 2], false])
    take(9)
    for (let turn = 0; turn < 4; turn++) await settled()
    expect([read, isOpen()]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], true])
  })

  it('[OPS-8] is read no further in a turn in which enough was read, however it comes', async () => {
    const { read, take, isOpen } = setUp(4)
    for (let n = 0; n < 9; n++) take(n)
    expect([read, isOpen()]).toEqual([[0, 1, 2], false])
    for (let turn = 0; turn < 4; turn++) await settled()
    expect([read, isOpen()]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8], true])
    take(9, 10)
    expect(read.at(-1)).toBe(10)
  })

  it('[SYNC-2] waits while its session is read no further', async () => {
    const { intake, read, take, isOpen } = setUp(0)
    take(1)
    intake.pause()
    take(2, 3)
    await settled()
    expect([read, isOpen()]).toEqual([[1], false])
    intake.resume()
    await settled()
    expect([read, isOpen()]).toEqual([[1, 2, 3], true])
  })

  it('[OPS-8] is read to its end when the line has ended, before that is told', async () => {
    const { intake, read, take } = setUp(20)
    intake.pause()
    take(1, 2, 3)
    let isTold = false
    intake.end(() => (isTold = true))
    expect([read, isTold]).toEqual([[], false])
    for (let turn = 0; turn < 4; turn++) await settled()
    expect([read, isTold]).toEqual([[1, 2, 3], true])
  })
})
