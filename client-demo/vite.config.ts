import { defineConfig } from 'vite'

const SERVER = 'http://127.0.0.1:4090'
const API_PATHS = ['/documents', '/conflicts', '/resolve-conflict', '/conflict-notifications', '/sync', '/demo/token']

export default defineConfig({
  // The page may stand under a prefix that the build does not know.
  base: './',
  build: {
    outDir: '../dist/demo',
    emptyOutDir: true,
    target: 'es2022',
    // The page is served with `script-src 'self'`: no inlined script, no data: asset.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: Object.fromEntries(API_PATHS.map((path) => [path, { target: SERVER, ws: true }])),
  },
})
