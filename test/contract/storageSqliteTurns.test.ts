import { describeStorageContract } from '../support/storageContract.ts'
import { createSqliteFixture } from '../support/storageSqlite.ts'

describeStorageContract('SQLite, writing here and there in turns', () => createSqliteFixture('turns'))
