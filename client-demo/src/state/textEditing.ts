import type * as Y from 'yjs'
import type { Absence } from './absence.ts'
import type { DocumentLock } from './documentLock.ts'
import { LiveText, type LiveTextOptions } from './liveText.ts'
import type { NameBook } from './names.ts'
import { SaveCheck } from './saveCheck.ts'
import type { Store } from './store.ts'

export interface TextEditingOptions extends Omit<LiveTextOptions, 'onEdit'> {
  readonly lock: DocumentLock
  readonly absence: Absence
  readonly nameBook: NameBook
  readonly saved: Store<boolean>
  /** Whether the server holds this text. */
  readonly isStored: (text: Y.Text) => Promise<boolean>
}

/** A text under live edit, what is known of its being saved, and what becomes of what waits. */
export class TextEditing {
  readonly live: LiveText
  readonly #options: TextEditingOptions
  /** Null while the text is made: what is kept of it goes in then. */
  #saveCheck: SaveCheck | null = null
  readonly #stops: readonly (() => void)[]

  constructor(options: TextEditingOptions) {
    this.#options = options
    const { nameBook, absence, saved, kept } = options
    const live = new LiveText({ ...options, onEdit: () => this.#saveCheck?.edited() })
    this.live = live
    this.#saveCheck = new SaveCheck({
      isStored: async () => live.connection.value.phase === 'live' && options.isStored(live.text),
      onChange: (isSaved) => {
        saved.set(isSaved)
        this.#watchAbsence()
      },
    })
    this.#stops = [
      live.people.watch(() => {
        for (const { sub, name } of live.people.value) if (sub !== null) nameBook.meet(sub, name)
      }),
      live.connection.watch(() => {
        if (live.connection.value.phase === 'live') this.#saveCheck?.hint()
        this.#watchAbsence()
      }),
      options.lock.held.watch(() => {
        this.#saveCheck?.hint()
        this.#watchAbsence()
      }),
    ]
    live.text.observe((event, transaction) => {
      if (transaction.local) absence.wrote(event.delta)
    })
    if (kept !== null) {
      absence.goOn()
      this.#saveCheck.edited()
    }
  }

  /** The document changed on the server: a good moment to look whether all is saved. */
  hint(): void {
    this.#saveCheck?.hint()
  }

  /** The person went elsewhere: it stays until all is stored or the server wants no more of it, and then calls `done`. */
  linger(done: () => void): void {
    const { live } = this
    const { saved } = this.#options
    live.leave()
    const look = (): void => {
      if (!saved.value && live.connection.value.phase !== 'refused') return
      for (const stop of stops) stop()
      done()
    }
    const stops = [saved.watch(look), live.connection.watch(look)]
    look()
  }

  close(): void {
    for (const stop of this.#stops) stop()
    this.#saveCheck?.close()
    this.live.close()
  }

  #watchAbsence(): void {
    const { lock, absence, saved } = this.#options
    const connection = this.live.connection.value
    const held = lock.held.value
    if (connection.phase === 'offline') absence.begin(connection.because)
    else if (connection.phase === 'reconnecting') absence.begin('line')
    else if (connection.phase === 'live' && held !== null && !held.isOwn) absence.begin('lock')
    else if (connection.phase === 'live' && saved.value) void absence.end()
  }
}
