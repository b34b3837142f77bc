export interface SaveCheckOptions {
  /** Whether what stands in the editor is what the server holds; rejects when that cannot be found out. */
  readonly isStored: () => Promise<boolean>
  readonly onChange: (saved: boolean) => void
  readonly after?: (delayMs: number, task: () => void) => () => void
}

/** The first look comes when typing pauses; then less and less often, for as long as it takes. */
const DELAYS_MS = [400, 800, 1_600, 3_200, 6_400] as const
const LONGEST_DELAY_MS = 10_000

const setTimer = (delayMs: number, task: () => void): (() => void) => {
  const handle = setTimeout(task, delayMs)
  return () => clearTimeout(handle)
}

/**
 * Finds out whether the person's edits are saved. The y-websocket protocol has no acknowledgement, so the
 * server is asked for what it holds: what it answers is on its disk.
 */
export class SaveCheck {
  readonly #options: Required<SaveCheckOptions>
  #saved = true
  #edits = 0
  #attempts = 0
  #closed = false
  #cancel = (): void => {}

  constructor(options: SaveCheckOptions) {
    this.#options = { after: setTimer, ...options }
  }

  get saved(): boolean {
    return this.#saved
  }

  edited(): void {
    this.#edits += 1
    this.#attempts = 0
    this.#show(false)
    this.#schedule()
  }

  /** The document changed on the server: a good moment to look. */
  hint(): void {
    if (this.#saved) return
    this.#attempts = 0
    this.#schedule()
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }

  #schedule(): void {
    this.#cancel()
    const delayMs = DELAYS_MS[this.#attempts] ?? LONGEST_DELAY_MS
    this.#cancel = this.#options.after(delayMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    const edits = this.#edits
    this.#attempts += 1
    const stored = await this.#options.isStored().catch(() => false)
    if (this.#closed || edits !== this.#edits) return
    if (stored) this.#show(true)
    else this.#schedule()
  }

  #show(saved: boolean): void {
    if (saved === this.#saved) return
    this.#saved = saved
    this.#options.onChange(saved)
  }
}
