import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Store } from '../state/store.ts'

/** The store's value; the component is drawn again after each change. */
export function useStore<T>(store: Store<T>): T {
  const [, setDraws] = useState(0)
  const { value } = store
  useLayoutEffect(() => {
    const redraw = (): void => setDraws((draws) => draws + 1)
    const stop = store.watch(redraw)
    if (!Object.is(store.value, value)) redraw()
    return stop
    // `value` is read once, for the change between drawing and watching.
  }, [store])
  return value
}

const NOW_EVERY_MS = 30_000

/** The time, brought up to date often enough for "4 min ago". */
export const useNow = (): number => useTime(NOW_EVERY_MS)

/** The time, for what counts down. */
export const useSecond = (): number => useTime(1_000)

function useTime(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const list = matchMedia(query)
    const show = (): void => setMatches(list.matches)
    show()
    list.addEventListener('change', show)
    return () => list.removeEventListener('change', show)
  }, [query])
  return matches
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title
  }, [title])
}

/** The newest value that was not null. */
export function useLatest<T>(value: T | null): T | null {
  const latest = useRef(value)
  if (value !== null) latest.current = value
  return latest.current
}
