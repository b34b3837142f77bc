import { systemEnvironment } from '../../foundation/environment.ts'
import type { StorageView } from '../view.ts'
import { openConnection } from './connection.ts'
import { HeldViews } from './heldViews.ts'
import { SqliteReader } from './reader.ts'
import { steadyClock } from './steadyClock.ts'
import { SqliteView } from './view.ts'

/** A database file that another thread of this process has open as storage, for reading. */
interface SqliteReading {
  readonly view: StorageView
  /** Ends what is being read, which is read anew after `pause`'s answer was called; nothing is read until then. */
  readonly pause: () => Promise<() => void>
}

/** Each question of several steps is answered from one state, as by the storage itself. */
export function openSqliteReading(file: string, epoch: string): SqliteReading {
  const clock = steadyClock(systemEnvironment)
  const open = () => {
    const connection = openConnection(file)
    connection.pragma('query_only = ON')
    return connection
  }
  const views = new HeldViews({ epoch, environment: systemEnvironment, clock, open })
  const connection = open()
  const view = new ReadingView(epoch, new SqliteReader(connection, clock), views)
  const pause = (): Promise<() => void> =>
    new Promise((resolve) => {
      void views.without(() => new Promise<void>((resume) => resolve(resume)))
    })
  return { view, pause }
}

class ReadingView extends SqliteView {
  readonly #reader: SqliteReader
  readonly #views: HeldViews

  constructor(epoch: string, reader: SqliteReader, views: HeldViews) {
    super(epoch)
    this.#reader = reader
    this.#views = views
  }

  read<T>(question: (view: StorageView) => Promise<T>): Promise<T> {
    return this.#views.read(question)
  }

  protected reader(): SqliteReader {
    return this.#reader
  }
}
