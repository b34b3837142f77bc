import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

const SERVER = 'http://127.0.0.1:4090'
const API_PATHS = ['/documents', '/conflicts', '/resolve-conflict', '/conflict-notifications', '/sync', '/demo/token']
const OUT_DIR = '../dist/demo'
/** What stands in place of parts of packages that nothing here uses. */
const LEAN = join(import.meta.dirname, 'src/lean')
/** Below this a compressed file saves no packet. */
const LEAST_COMPRESSED_BYTES = 1_024

/** Writes each asset compressed beside itself, once and as small as can be: the server sends these as they are. */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    writeBundle({ dir = '' }) {
      for (const name of readdirSync(join(dir, 'assets'))) {
        const path = join(dir, 'assets', name)
        const content = readFileSync(path)
        if (content.byteLength < LEAST_COMPRESSED_BYTES) continue
        writeFileSync(`${path}.gz`, gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))
        writeFileSync(`${path}.br`, brotliCompressSync(content))
      }
    },
  }
}

/** What both editors share, in one file: each file more has headers of its own. */
const EDITOR = new RegExp(
  [
    'node_modules/(@codemirror/(view|state|commands)|style-mod|@marijn|w3c-keyname|crelt)/',
    'src/ui/(codeMirror|keys|marks|conflictMarks|keepCursorInView|lockedWords)\\.',
    'src/state/(contents|jsonDraft)\\.',
    'src/present/countdown\\.',
    'server/content/(commonEnds|content)\\.',
    'lib0/(function|object|trait/equality)\\.',
  ].join('|'),
)

/** The code of the screen that most people come for; its address names it only once the first script has run. */
const WANTED_NEXT = 'documentScreen'

/** Has that fetched beside the first script instead of after it, and behind it where the line is narrow. */
function preloadNext(): Plugin {
  return {
    name: 'preload-next',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle = {} }) {
        const chunks = Object.values(bundle).filter((output) => output.type === 'chunk')
        const next = chunks.find(({ name }) => name === WANTED_NEXT)
        const first = chunks.find(({ isEntry }) => isEntry)
        if (next === undefined || first === undefined) throw new Error(`There is no chunk ${WANTED_NEXT} to preload.`)
        const known = new Set([first.fileName, ...first.imports])
        return [next.fileName, ...next.imports]
          .filter((fileName) => !known.has(fileName))
          .map((fileName) => ({
            tag: 'link',
            attrs: { rel: 'modulepreload', href: `./${fileName}`, fetchpriority: 'low' },
            injectTo: 'head',
          }))
      },
    },
  }
}

export default defineConfig({
  // The page may stand under a prefix that the build does not know.
  base: './',
  plugins: [precompress(), preloadNext()],
  resolve: {
    alias: [
      { find: 'lib0/logging', replacement: join(LEAN, 'logging.ts') },
      { find: './y-remote-selections.js', replacement: join(LEAN, 'remoteSelections.ts') },
    ],
  },
  build: {
    outDir: OUT_DIR,
    emptyOutDir: true,
    target: 'es2022',
    // The page is served with `script-src 'self'`: no inlined script, no data: asset.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      treeshake: { moduleSideEffects: [{ test: /@codemirror|@lezer/, sideEffects: false }] },
      output: {
        // What reads JSON is for json documents alone; without this it would go where most of CodeMirror is.
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [
            { name: 'syntax', test: /node_modules\/(@lezer|@codemirror\/(language|lang-json))\// },
            { name: 'editor', test: EDITOR },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(API_PATHS.map((path) => [path, { target: SERVER, ws: true }])),
  },
})
