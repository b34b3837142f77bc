import { ParleyError } from '../../server/foundation/problems.ts'
import type { Act, ActResult } from '../../server/storage/act.ts'
import type { Storage } from '../../server/storage/storage.ts'
import { watchedView } from './watchedView.ts'

/** A disk that a test can stop and break. Acts keep the order in which they were handed over. */
export interface FaultyStorage extends Storage {
  /** Acts handed over so far. */
  readonly acts: readonly Act[]
  /** Acts handed over from now on wait. Answers how to let them go. */
  hold(): () => void
  /** So many of the next acts fail as on a full disk, and nothing of them is written. */
  failNext(count: number): void
  /** The next act makes storage throw, as a bug does. */
  breakNext(): void
  /** The queue of acts takes no more. Answers how to make room again. */
  fill(): () => void
  /** How often a method of the port was called. */
  calls(method: keyof Storage): number
}

export function faultyStorage(inner: Storage): FaultyStorage {
  const acts: Act[] = []
  const counts = new Map<PropertyKey, number>()
  let gate: Promise<void> | null = null
  let failures = 0
  let isFull = false
  let isBroken = false
  const full = (): ParleyError => new ParleyError('overloaded', 'The queue is full, says the test.')
  const refusal = (): ParleyError | null => (isFull ? full() : inner.refusal())
  const commit = (act: Act): Promise<ActResult> => {
    if (!isBroken) return perform(act)
    isBroken = false
    throw new Error('A bug, says the test.')
  }
  const perform = async (act: Act): Promise<ActResult> => {
    if (isFull) throw full()
    acts.push(act)
    if (gate) await gate
    if (failures === 0) return inner.commit(act)
    failures -= 1
    throw new ParleyError('storage-unavailable', 'The disk is full, says the test.')
  }
  const storeSnapshot: Storage['storeSnapshot'] = async (...parameters) => {
    if (gate) await gate
    return inner.storeSnapshot(...parameters)
  }
  const count = (name: PropertyKey): void => void counts.set(name, (counts.get(name) ?? 0) + 1)
  const own = {
    read: watchedView(inner, count).read,
    acts,
    commit,
    refusal,
    storeSnapshot,
    breakNext: () => void (isBroken = true),
    fill: () => {
      isFull = true
      return () => void (isFull = false)
    },
    hold: () => {
      const { promise, resolve } = withResolvers()
      gate = promise
      return () => {
        if (gate === promise) gate = null
        resolve()
      }
    },
    failNext: (count: number) => void (failures = count),
    calls: (method: keyof Storage) => counts.get(method) ?? 0,
  }
  return new Proxy(inner, {
    get(target, name) {
      if (name in own) {
        if (name === 'commit') count(name)
        return Reflect.get(own, name)
      }
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]): unknown => {
        count(name)
        return Reflect.apply(value, target, parameters)
      }
    },
  }) as FaultyStorage
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}
