import { existsSync, readFileSync } from 'node:fs'

/** Of the package that this is part of: source and shipped files lie as deep in it. */
export const VERSION: string = packageVersion()

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  const found: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
  return typeof found === 'object' && found !== null && 'version' in found ? String(found.version) : 'unknown'
}
