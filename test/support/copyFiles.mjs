// The compiler leaves files of other kinds behind; the built server looks for them where the source does.
import { cpSync, rmSync } from 'node:fs'

const root = new URL('../../', import.meta.url)
const target = new URL('dist/server/storage/sqlite/sql/', root)
rmSync(target, { recursive: true, force: true })
cpSync(new URL('server/storage/sqlite/sql/', root), target, { recursive: true })
cpSync(
  new URL('server/api/description/examples.json', root),
  new URL('dist/server/api/description/examples.json', root),
)
