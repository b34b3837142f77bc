import { ParleyError } from './problems.ts'

/** Seen by nobody: whoever asked has gone. */
export const nobodyWaits = (): ParleyError => new ParleyError('invalid-request', 'The client has gone.')

interface Running<V> {
  readonly result: Promise<V>
  readonly control: AbortController
  waiting: number
}

/**
 * Work that several ask for at the same time is done once for all, and given up when nobody waits for it any more. What
 * runs is bounded by the requests that the server accepts.
 */
export class SharedWork<V> {
  readonly #running = new Map<string, Running<V>>()

  /** `gone` is aborted when the asker leaves; the work shall end soon after its own signal is. Equal keys ask for the same. */
  ask(key: string, gone: AbortSignal | null, work: (givenUp: AbortSignal) => Promise<V>): Promise<V> {
    const running = this.#running.get(key) ?? this.#begin(key, work)
    running.waiting += 1
    const leave = (): void => {
      running.waiting -= 1
      if (running.waiting > 0) return
      running.control.abort()
      this.#forget(key, running)
    }
    if (gone?.aborted) leave()
    else gone?.addEventListener('abort', leave, { once: true })
    return running.result.finally(() => gone?.removeEventListener('abort', leave))
  }

  #begin(key: string, work: (givenUp: AbortSignal) => Promise<V>): Running<V> {
    const control = new AbortController()
    const result = work(control.signal).finally(() => this.#forget(key, running))
    const running: Running<V> = { result, control, waiting: 0 }
    this.#running.set(key, running)
    return running
  }

  /** Whoever asks after it was given up begins anew. */
  #forget(key: string, running: Running<V>): void {
    if (this.#running.get(key) === running) this.#running.delete(key)
  }
}
