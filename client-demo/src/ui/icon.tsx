import type { JSX } from 'preact'

const PATHS = {
  back: 'M10 3.5 5.5 8l4.5 4.5',
  close: 'm4 4 8 8m0-8-8 8',
  copy: 'M5.5 5.5v-2h7v7h-2m-7-5h7v7h-7z',
  terminal: 'm3 4.5 3.5 3.5L3 11.5m5 0h5',
  check: 'm3.5 8.5 3 3 6-7',
  fork: 'M4.5 3v10m0-5c4 0 7-.5 7-5',
  lock: 'M4 7.5h8v5H4zm1.5 0V5.6a2.5 2.5 0 0 1 5 0v1.9',
  history: 'M3 8a5 5 0 1 0 1.6-3.7M4.4 2.2v2.3h2.3M8 5.4V8l1.8 1.4',
} as const

/** Decoration: what it means is said in words beside it. */
export function Icon({ name }: { name: keyof typeof PATHS }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
