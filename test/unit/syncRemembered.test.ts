import { describe, expect, it } from 'vitest'
import { Remembered } from '../../server/sync/remembered.ts'

describe('what is made one by one', () => {
  it('[OPS-8] is made once for all who ask, whoever is first to come to it', () => {
    let made = 0
    const numbers = new Remembered(
      (function* () {
        for (; made < 3;) yield (made += 1)
      })(),
    )
    const [first, second] = [numbers[Symbol.iterator](), numbers[Symbol.iterator]()]
    expect([first.next().value, second.next().value, second.next().value, made]).toEqual([1, 1, 2, 2])
    expect([...first, ...second, ...numbers, made]).toEqual([2, 3, 3, 1, 2, 3, 3])
  })
})
