import { systemEnvironment } from '../../foundation/environment.ts'
import { SqliteSnapshots } from '../sqliteSnapshots.ts'
import type { StorageView } from '../storage.ts'
import { openConnection } from './connection.ts'
import { SqliteReader } from '../sqliteReader.ts'
import { SqliteView } from '../sqliteView.ts'
import { steadyClock } from './steadyClock.ts'

/** A database file that another thread of this process has open as storage, for reading. */
export interface SqliteReading {
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
  const snapshots = new SqliteSnapshots({ epoch, environment: systemEnvironment, clock, open })
  const connection = open()
  const view = new ReadingView(epoch, new SqliteReader(connection, clock), snapshots)
  const pause = (): Promise<() => void> =>
    new Promise((resolve) => {
      void snapshots.without(() => new Promise<void>((resume) => resolve(resume)))
    })
  return { view, pause }
}

class ReadingView extends SqliteView {
  readonly #reader: SqliteReader
  readonly #snapshots: SqliteSnapshots

  constructor(epoch: string, reader: SqliteReader, snapshots: SqliteSnapshots) {
    super(epoch)
    this.#reader = reader
    this.#snapshots = snapshots
  }

  read<T>(question: (view: StorageView) => Promise<T>): Promise<T> {
    return this.#snapshots.read(question)
  }

  protected reader(): SqliteReader {
    return this.#reader
  }
}
