// The compiler leaves files of other kinds behind; the built server looks for them where the source does.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants } from 'node:zlib'

const root = new URL('../../', import.meta.url)
const target = new URL('dist/server/storage/sqlite/sql/', root)
rmSync(target, { recursive: true, force: true })
cpSync(new URL('server/storage/sqlite/sql/', root), target, { recursive: true })
cpSync(
  new URL('server/api/description/examples.json', root),
  new URL('dist/server/api/description/examples.json', root),
)

// The reference page, from its package, each file compressed beside itself.
const reference = new URL('dist/reference/', root)
mkdirSync(reference, { recursive: true })
for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js']) {
  const bytes = readFileSync(new URL(`node_modules/swagger-ui-dist/${file}`, root))
  writeFileSync(new URL(file, reference), bytes)
  writeFileSync(
    new URL(`${file}.br`, reference),
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  )
}
