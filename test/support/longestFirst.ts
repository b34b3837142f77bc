import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take long whatever the machine, because they wait: begun last, one would keep the others' workers idle. */
const LONG = [
  'lines',
  'linesTogether',
  'linearizability',
  'historyCompaction',
  'paper',
  'demoScreens',
  'demoScreensOfConflict',
  'demoKeys',
  'demoKeysConflict',
  'demoRights',
  'notificationsLoad',
  'silentRestart',
  'locksKill',
  'linesBetweenKill',
  'storageSqliteTurns',
  'storageSqliteProcesses',
  'idempotency',
  'idempotencyCrash',
  'transactionsCrash',
  'locksLeft',
  'writesDurable',
  'httpTimeouts',
  'compactor',
  'clownschool',
]

/** The order of files where no earlier run tells how long each takes. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      LONG.some((name) => moduleId.endsWith(`/${name}.test.ts`))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
