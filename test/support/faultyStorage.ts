import { ParleyError } from '../../server/foundation/problems.ts'
import type { Act, ActResult, Storage } from '../../server/storage/storage.ts'

/** A disk that a test can stop and break. Acts keep the order in which they were handed over. */
export interface FaultyStorage extends Storage {
  /** Acts handed over so far. */
  readonly acts: readonly Act[]
  /** Acts handed over from now on wait. Answers how to let them go. */
  hold(): () => void
  /** So many of the next acts fail as on a full disk, and nothing of them is written. */
  failNext(count: number): void
  /** How often a method of the port was called. */
  calls(method: keyof Storage): number
}

export function faultyStorage(inner: Storage): FaultyStorage {
  const acts: Act[] = []
  const counts = new Map<PropertyKey, number>()
  let gate: Promise<void> | null = null
  let failures = 0
  const commit = async (act: Act): Promise<ActResult> => {
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
  const own = {
    acts,
    commit,
    storeSnapshot,
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
        if (name === 'commit') counts.set(name, (counts.get(name) ?? 0) + 1)
        return Reflect.get(own, name)
      }
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]): unknown => {
        counts.set(name, (counts.get(name) ?? 0) + 1)
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
