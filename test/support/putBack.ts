import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const PARTS = ['', '-wal', '-shm']

/** Copies the files of a database that nobody has open. `back` puts them in place of what was written since. */
export function copyDatabase(file: string, folder: string): { back(): void } {
  const copyOf = (part: string): string => join(folder, `copy.db${part}`)
  for (const part of PARTS) if (existsSync(file + part)) copyFileSync(file + part, copyOf(part))
  return {
    back() {
      for (const part of PARTS) {
        rmSync(file + part, { force: true })
        if (existsSync(copyOf(part))) copyFileSync(copyOf(part), file + part)
      }
    },
  }
}
