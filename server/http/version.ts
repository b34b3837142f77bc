import { existsSync, readFileSync } from 'node:fs'

/** Of the package that this is part of, started from its source or built. */
export const VERSION: string = packageVersion()

function packageVersion(): string {
  const files = ['../../package.json', '../../../package.json'].map((path) => new URL(path, import.meta.url))
  const file = files.find((one) => existsSync(one))
  const found: unknown = file === undefined ? null : JSON.parse(readFileSync(file, 'utf8'))
  return typeof found === 'object' && found !== null && 'version' in found ? String(found.version) : 'unknown'
}
