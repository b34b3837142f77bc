/** Processes and threads of their own that tests start; each is `NAME.ts` in this folder. */
export const CHILDREN = [
  'askedThread',
  'compactionChild',
  'crashChild',
  'floodChild',
  'pagesChild',
  'storageChild',
  'subscribersChild',
] as const

/** Where one was built (`npm run build:children`). */
export const childUrl = (name: (typeof CHILDREN)[number]): URL =>
  new URL(`../../dist/children/${name}.js`, import.meta.url)
