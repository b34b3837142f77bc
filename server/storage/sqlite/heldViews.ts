import type Database from 'better-sqlite3'
import type { Environment, Timer } from '../../foundation/environment.ts'
import { ParleyError } from '../../foundation/problems.ts'
import type { OtherReader } from '../sharing.ts'
import type { StorageView } from '../view.ts'
import { toStorageError } from './errors.ts'
import { SqliteReader } from './reader.ts'
import type { Clock } from './steadyClock.ts'
import { SqliteView } from './view.ts'

export interface HeldViewLimits {
  /** While a view is held, the WAL grows by all that is written: a minute of a busy server is some 300 MB. */
  readonly heldMs: number
  /**
   * Each has a connection with a cache of 2 MB, which is kept for the next question: to open one and prepare its statements
   * takes longer than most questions. Long questions of the history take turns before they come here.
   */
  readonly atOnce: number
  /** Questions that wait for a connection: about as many as requests can be under way. */
  readonly waiting: number
}

export const HELD_VIEW_LIMITS: HeldViewLimits = { heldMs: 60_000, atOnce: 8, waiting: 10_000 }

/** How often a question is asked again because a document was purged meanwhile. */
const MAX_ROUNDS = 5

interface HeldViewParts {
  readonly epoch: string
  readonly environment: Environment
  readonly clock: Clock
  /** Opens a connection for reading. */
  readonly open: () => Database.Database
  readonly limits?: HeldViewLimits
}

/** A connection with what is prepared on it. */
interface Session {
  readonly connection: Database.Database
  readonly reader: SqliteReader
  readonly begin: Database.Statement<[]>
  readonly end: Database.Statement<[]>
}

/**
 * Answers questions of several steps, each on a connection of its own within one transaction of reading: what is committed
 * meanwhile does not show. While a view is held the WAL cannot be cut, so none is held for long.
 */
export class HeldViews {
  readonly #parts: HeldViewParts
  readonly #limits: HeldViewLimits
  readonly #idle: Session[] = []
  readonly #held = new Set<HeldView>()
  readonly #line: (() => void)[] = []
  readonly #others: OtherReader[] = []
  #isClosed = false
  /** Set while no view may be held. */
  #pause: Promise<unknown> | null = null

  constructor(parts: HeldViewParts) {
    this.#parts = parts
    this.#limits = parts.limits ?? HELD_VIEW_LIMITS
  }

  /** See `StorageView.read`. */
  async read<T>(question: (view: StorageView) => Promise<T>): Promise<T> {
    for (let round = 1; ; round++) {
      const view = await this.#hold()
      try {
        const answer = await question(view)
        if (view.end() !== 'purge' || round === MAX_ROUNDS) return this.#checked(view, answer)
      } catch (error) {
        if (view.end() !== 'purge' || round === MAX_ROUNDS) throw error
      } finally {
        this.#release(view)
      }
    }
  }

  /** A document was purged: what is being read may hold it, and is read anew. */
  endAll(): void {
    for (const view of this.#held) view.end('purge')
    for (const other of this.#others) other.endAll()
  }

  /** From now on no task runs `without` views while this reader holds something. */
  sharesWith(reader: OtherReader): void {
    this.#others.push(reader)
  }

  /** Runs a task while no view is held, here or by other readers. */
  async without<T>(task: () => Promise<T>): Promise<T> {
    const running = (async () => {
      await this.#pause
      this.endAll()
      const resume = await Promise.all(this.#others.map((other) => other.pause()))
      try {
        return await task()
      } finally {
        for (const go of resume) go()
      }
    })()
    const pause = running.catch(() => undefined)
    this.#pause = pause
    try {
      return await running
    } finally {
      if (this.#pause === pause) this.#pause = null
    }
  }

  close(): void {
    this.#isClosed = true
    for (const view of this.#held) view.end('closed')
    for (const { connection } of this.#idle.splice(0)) connection.close()
    for (const next of this.#line.splice(0)) next()
  }

  #checked<T>(view: HeldView, answer: T): T {
    if (view.end() === 'purge') throw tooBusy()
    return answer
  }

  async #hold(): Promise<HeldView> {
    while (this.#pause !== null) await this.#pause
    if (this.#held.size >= this.#limits.atOnce) {
      if (this.#line.length >= this.#limits.waiting) throw tooBusy()
      await new Promise<void>((resolve) => this.#line.push(resolve))
      return this.#hold()
    }
    if (this.#isClosed) throw closed()
    try {
      const view = new HeldView(this.#parts, this.#idle.pop() ?? this.#start(), this.#limits.heldMs)
      this.#held.add(view)
      return view
    } catch (error) {
      // Its turn goes to whoever waits next.
      this.#line.shift()?.()
      throw toStorageError(error)
    }
  }

  #release(view: HeldView): void {
    this.#held.delete(view)
    const { session } = view
    if (this.#isClosed) session.connection.close()
    else this.#idle.push(session)
    this.#line.shift()?.()
  }

  #start(): Session {
    const connection = this.#parts.open()
    const reader = new SqliteReader(connection, this.#parts.clock)
    return { connection, reader, begin: connection.prepare('BEGIN'), end: connection.prepare('COMMIT') }
  }
}

/** How a view came to its end. */
type End = 'answered' | 'purge' | 'late' | 'closed'

/** One state of the database, until it is ended. */
class HeldView extends SqliteView {
  readonly session: Session
  readonly #timer: Timer
  #ended: End | null = null

  constructor({ epoch, environment }: HeldViewParts, session: Session, heldMs: number) {
    super(epoch)
    this.session = session
    session.begin.run()
    this.#timer = environment.after(heldMs, () => this.end('late'))
  }

  /** A question within a question is answered from the same state. */
  read<T>(question: (view: StorageView) => Promise<T>): Promise<T> {
    return question(this)
  }

  /** Lets the state go; answers how it ended first. */
  end(how: End = 'answered'): End {
    if (this.#ended !== null) return this.#ended
    this.#ended = how
    this.#timer.cancel()
    this.session.end.run()
    return how
  }

  protected reader(): SqliteReader {
    switch (this.#ended) {
      case null:
        return this.session.reader
      case 'closed':
        throw closed()
      default:
        throw tooBusy()
    }
  }
}

const closed = (): ParleyError => new ParleyError('shutting-down', 'The storage is closed.')
const tooBusy = (): ParleyError => new ParleyError('overloaded', 'To read this took too long just now. Try again.')
