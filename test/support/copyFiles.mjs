// `node copyFiles.mjs server|children|modules`: puts beside the built server the files that it reads, each where the code that
// reads it is: in the one folder of its few files, or in the folders of its modules.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants } from 'node:zlib'

const root = new URL('../../', import.meta.url)
const build = process.argv[2]
for (const [folder, name] of [
  ['server/storage/sqlite/', 'sql'],
  ['server/api/description/', 'examples.json'],
]) {
  const target = new URL(build === 'modules' ? `dist/modules/${folder}${name}` : `dist/${build}/${name}`, root)
  cpSync(new URL(folder + name, root), target, { recursive: true })
}
if (build === 'server') copyReference()

/** The reference page, from its package, each file compressed beside itself. */
function copyReference() {
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
}
