// Loads the built modules of the server (`npm run build:modules`) wherever their source is asked for.
const ROOT = new URL('../../', import.meta.url).href
const SOURCE = `${ROOT}server/`

export async function resolve(specifier, context, nextResolve) {
  const found = await nextResolve(specifier, context)
  if (!found.url.startsWith(SOURCE)) return found
  const path = found.url.slice(SOURCE.length).replace(/\.ts(?=$|\?)/, '.js')
  return { ...found, url: `${ROOT}dist/modules/server/${path}`, format: 'module' }
}
